"""The application: routes, access rules, safe headers, and the adapters they use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from runstream_consumers.api import problems
from runstream_consumers.api.database import PoolLimits, open_database
from runstream_consumers.api.kafka.cluster import Cluster
from runstream_consumers.api.kafka.commands import open_commands
from runstream_consumers.api.polling_pace import Pace
from runstream_consumers.api.routers import alerts, commands, connection, history, numbers, registry, runs
from runstream_consumers.api.routers import resume_state as standing
from runstream_consumers.api.run_numbers import open_control
from runstream_consumers.api.security.access import Access, Policy
from runstream_consumers.api.security.headers import SafeHeaders
from runstream_consumers.api.security.peers import Peers, trusted_users
from runstream_consumers.api.security.principal import Principal, PrincipalKind
from runstream_consumers.api.services import Services
from runstream_consumers.server.consumer_routes import include_consumer_routes
from runstream_consumers.settings import ServerSettings
from runstream_consumers.web import pages


def create_app(settings: ServerSettings, *, limits: PoolLimits | None = None, peers: Peers | None = None) -> FastAPI:
    """Return the application of one API process; it connects to nothing before its first request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_database(settings.postgres, limits or PoolLimits()) as database,
            open_control(settings.postgres) as control,
            open_commands(settings.kafka, settings.prefix, settings.partitions) as to_runs,
        ):
            cluster = Cluster(settings.kafka)
            app.state.services = Services(
                settings=settings,
                database=database,
                control=control,
                cluster=cluster,
                commands=to_runs,
                pace=Pace(),
            )
            yield

    app = FastAPI(
        title="Runstream",
        version=version("runstream"),
        description="Reads what the consumers made of a stack's events: runs, history, summaries, states, delivery.",
        openapi_url="/api/v1/openapi.json",
        # The interactive pages load their scripts from elsewhere, which the content policy forbids.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    problems.register(app, pages.problem_page)
    # First: the pages' routes take any two names.
    app.mount("/static", StaticFiles(directory=pages.STATIC), name="static")
    include_consumer_routes(app)
    for module in (connection, registry, runs, standing, commands, numbers, history, alerts, pages):
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
