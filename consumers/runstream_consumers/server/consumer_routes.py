"""The routes that installed consumers declare."""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from pydantic import ValidationError

from runstream_consumers.runtime.plugin import Connection, RouteContext, declaration_of
from runstream_consumers.runtime.registry import installed_consumers, load_settings

log = logging.getLogger(__name__)


def include_consumer_routes(app: FastAPI) -> None:
    """Add each consumer's routes at ``/api/v1/consumers/NAME``; they are left out if its settings are invalid."""
    for consumer in installed_consumers():
        routes = declaration_of(consumer).routes
        if routes is None:
            continue
        try:
            settings = load_settings(consumer)
        except ValidationError as error:
            log.error("routes of consumer %s are left out: %s", consumer.name, error)  # noqa: TRY400 — settings, no bug
            continue
        context = RouteContext(connection=lambda: _connection(app), settings=settings)
        app.include_router(routes(context), prefix=f"/api/v1/consumers/{consumer.name}", tags=[consumer.name])


def _connection(app: FastAPI) -> AbstractAsyncContextManager[Connection]:
    """Return a connection of the pool, which is opened after the routes are added."""
    found: AbstractAsyncContextManager[Connection] = app.state.services.database.connection()
    return found
