"""The application: routes, access rules, response headers, and the services they use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from runstream_consumers.api import problems
from runstream_consumers.api.artifact_decisions import ArtifactDecisions
from runstream_consumers.api.artifact_expiry import ArtifactExpiry
from runstream_consumers.api.collector import Collector
from runstream_consumers.api.content import ContentServer
from runstream_consumers.api.control_tables import open_control_tables
from runstream_consumers.api.database import PoolLimits, open_database
from runstream_consumers.api.documents.answers import PROBLEMS
from runstream_consumers.api.fair_share import FairShare
from runstream_consumers.api.following.changes import Changes
from runstream_consumers.api.following.messages import Streams
from runstream_consumers.api.kafka.command_events import Commands
from runstream_consumers.api.kafka.offsets import BrokerOffsets, Cluster
from runstream_consumers.api.kafka.read_barrier import ReadBarrier
from runstream_consumers.api.manifests import Manifests
from runstream_consumers.api.polling_pace import PollingPace
from runstream_consumers.api.routers import (
    alerts,
    artifact_commands,
    artifact_decisions,
    artifacts,
    commands,
    connection,
    exports,
    files,
    following,
    history,
    objects,
    projects,
    registry,
    resume_state,
    runs,
)
from runstream_consumers.api.run_numbers import RunNumbers
from runstream_consumers.api.security.access import Access, Principal, PrincipalKind
from runstream_consumers.api.security.headers import SafeHeaders
from runstream_consumers.api.security.peers import Peers, trusted_users
from runstream_consumers.api.services import Services
from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_consumers.runtime.plugin import Connection, RouteContext, declaration_of
from runstream_consumers.runtime.registry import installed_consumers, load_settings
from runstream_consumers.server.compression import JsonCompression
from runstream_consumers.settings import ServerSettings, SettingsError
from runstream_consumers.summary.key_names import KeyNames
from runstream_consumers.web import pages

_COMMAND_TIMEOUT_S = 5.0
#: Bytes of responses with charts that are kept.
_CHARTS = 32 * 1024 * 1024

#: In the order in which they are tried: reads of rows are the most frequent requests.
_ROUTERS = (
    history,
    connection,
    registry,
    projects,
    runs,
    resume_state,
    commands,
    following,
    exports,
    alerts,
    artifact_commands,
    artifact_decisions,
    artifacts,
    objects,
    files,
)

log = logging.getLogger(__name__)


def include_consumer_routes(app: FastAPI) -> None:
    """Add each consumer's routes at ``/api/v1/consumers/NAME``; they are left out if its settings are invalid."""
    for consumer in installed_consumers():
        routes = declaration_of(consumer).routes
        if routes is None:
            continue
        try:
            settings = load_settings(consumer)
        except SettingsError as error:
            log.error("routes of consumer %s are left out: %s", consumer.name, error)  # noqa: TRY400 — settings, no bug
            continue
        context = RouteContext(connection=lambda: _connection(app), settings=settings)
        app.include_router(routes(context), prefix=f"/api/v1/consumers/{consumer.name}", tags=[consumer.name])


@asynccontextmanager
async def _connection(app: FastAPI) -> AsyncIterator[Connection]:
    """Provide a connection of the pool, which is opened after the routes are added; settings end with its use."""
    async with app.state.services.database.connection() as found:
        yield found
        await found.reset()


def stop_streams(app: FastAPI) -> None:
    """End the responses that have no end of their own, so that the application can be closed."""
    if (services := getattr(app.state, "services", None)) is not None:
        services.changes.stop()


def create_app(settings: ServerSettings, *, limits: PoolLimits | None = None, peers: Peers | None = None) -> FastAPI:
    """Return the application of one API process; it connects to nothing before the first request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Blocks are decoded in these threads (history/reader.py): few, since they share the interpreter with the loop.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, thread_name_prefix="worker"))
        async with (
            open_database(settings.postgres, limits or PoolLimits()) as database,
            open_control_tables(settings.postgres) as control,
            ObjectStore.opened(settings) as object_store,
            AsyncExitStack() as closing,
        ):
            offsets = BrokerOffsets(settings.kafka)
            closing.push_async_callback(offsets.close)
            producer = KafkaProducer(settings.kafka, settings.prefix, timeout=_COMMAND_TIMEOUT_S)
            closing.push_async_callback(producer.close)
            publisher = Commands(producer, settings.partitions)
            decisions = ArtifactDecisions(control, object_store)
            expiry = ArtifactExpiry(database, decisions, publisher)
            await closing.enter_async_context(expiry.running())
            if object_store is not None:
                collector = Collector(settings, object_store, control, offsets)
                await closing.enter_async_context(collector.running())
            changes = Changes(database)
            await closing.enter_async_context(changes.running())
            app.state.services = Services(
                settings=settings,
                database=database,
                control=control,
                run_numbers=RunNumbers(control),
                artifact_decisions=decisions,
                artifact_expiry=expiry,
                manifests=Manifests(),
                contents=None if object_store is None else ContentServer(object_store, control),
                cluster=Cluster(settings.kafka),
                commands=publisher,
                read_barrier=ReadBarrier(settings, database, offsets),
                polling_pace=PollingPace(),
                fair_share=FairShare(),
                selections=FairShare(at_once=2),
                changes=changes,
                streams=Streams(),
                archive=closing.enter_context(Archive.opened(object_store)),
                charts=Cache(_CHARTS),
                key_names=KeyNames(),
            )
            if object_store is not None:
                app.state.services.archive.prepare()
            yield

    app = FastAPI(
        title="Runstream",
        version=version("runstream"),
        description="Runs, history, summaries, states and delivery of a stack, from the tables of its consumers.",
        openapi_url="/api/v1/openapi.json",
        # The interactive pages load scripts from other servers, which the content security policy forbids.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    problems.register(app, pages.problem_page)
    # First, since the routes of the pages match any two names.
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    include_consumer_routes(app)
    app.include_router(history.of_projects, responses=PROBLEMS)
    for module in _ROUTERS:
        app.include_router(module.router, responses=PROBLEMS)
    app.include_router(pages.router)
    app.add_middleware(JsonCompression)
    app.add_middleware(
        Access,
        token=settings.token,
        public_url=settings.url,
        peers=peers or Peers(trusted_users()),
        user=Principal(settings.entity, PrincipalKind.USER),
    )
    app.add_middleware(SafeHeaders, ancestors=settings.frame_ancestors)
    return app
