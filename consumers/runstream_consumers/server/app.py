"""The application: routes, access rules, response headers, and the services they use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from runstream_consumers.api import problems
from runstream_consumers.api.database import PoolLimits, open_database
from runstream_consumers.api.kafka.cluster import Cluster
from runstream_consumers.api.kafka.commands import Commands
from runstream_consumers.api.kafka.offsets import BrokerOffsets
from runstream_consumers.api.kafka.read_barrier import ReadBarrier
from runstream_consumers.api.polling_pace import PollingPace
from runstream_consumers.api.routers import alerts, commands, connection, history, numbers, registry, resume_state, runs
from runstream_consumers.api.run_numbers import open_control
from runstream_consumers.api.security.access import Access, Policy
from runstream_consumers.api.security.headers import SafeHeaders
from runstream_consumers.api.security.peers import Peers, trusted_users
from runstream_consumers.api.security.principal import Principal, PrincipalKind
from runstream_consumers.api.services import Services
from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_consumers.server.consumer_routes import include_consumer_routes
from runstream_consumers.settings import ServerSettings
from runstream_consumers.web import pages

_COMMAND_TIMEOUT_S = 5.0


def create_app(settings: ServerSettings, *, limits: PoolLimits | None = None, peers: Peers | None = None) -> FastAPI:
    """Return the application of one API process; it connects to nothing before the first request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Blocks are decoded in these threads (history/reader.py): few, since they share the interpreter with the loop.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4, thread_name_prefix="worker"))
        async with (
            open_database(settings.postgres, limits or PoolLimits()) as database,
            open_control(settings.postgres) as control,
            AsyncExitStack() as closing,
        ):
            offsets = BrokerOffsets(settings.kafka)
            closing.push_async_callback(offsets.close)
            producer = KafkaProducer(settings.kafka, settings.prefix, timeout=_COMMAND_TIMEOUT_S)
            closing.push_async_callback(producer.close)
            app.state.services = Services(
                settings=settings,
                database=database,
                control=control,
                cluster=Cluster(settings.kafka),
                commands=Commands(producer, settings.partitions),
                read_barrier=ReadBarrier(settings, database, offsets),
                polling_pace=PollingPace(),
            )
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
    for module in (connection, registry, runs, resume_state, commands, numbers, history, alerts, pages):
        app.include_router(module.router)
    policy = Policy(
        token=settings.token,
        public_url=settings.url,
        peers=peers or Peers(trusted_users()),
        user=Principal(settings.entity, PrincipalKind.USER),
    )
    app.add_middleware(Access, policy=policy)
    app.add_middleware(SafeHeaders, ancestors=settings.frame_ancestors)
    return app
