"""Where a run is delivered to: resolved again for each connection, and cached for when the API is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from runstream.exceptions import CommError
from runstream.run_folder.descriptions import RunInfo
from runstream.server.connection import Connection, cache_connection, cached_connection
from runstream.server.discovery import Server, resolve_server
from runstream.server.endpoints import connect, fetch_resume_state, fetch_stop_request, request_run_number
from runstream.shipper.settings import ShipperSettings
from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.topics import RunPath, partition_of

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class NoServerError(Exception):
    """No server is configured, or none answers and no earlier answer is cached."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the events of a run go."""

    connection: Connection
    run: RunPath
    partition: int
    limits: Limits


class Route:
    """Requests to the server of a run, each with a deadline."""

    def __init__(self, info: RunInfo, environ: Mapping[str, str], settings: ShipperSettings) -> None:
        self._url = info.url
        self._environ = environ
        self._settings = settings

    async def connect(self) -> Connection:
        """Return the server's brokers, topics and limits, or its last answer if it does not answer now.

        NoServerError is raised if neither is available.
        """
        server = self._server()
        try:
            connection = await self._request(connect, self._settings.ask_deadline_s)
        except NoServerError as error:
            known = cached_connection(server)
            if known is None:
                raise
            log.debug("%s; using its last answer", error)
            return known
        cache_connection(server, connection)
        return connection

    async def resume_state(self, run: RunPath) -> dict[str, Any]:
        """Return the last step of a run, and its writers; raise NoServerError if the server does not answer."""
        wait_s = self._settings.ask_deadline_s
        return await self._request(fetch_resume_state, run, step=None, wait_s=wait_s, timeout=2 * wait_s)

    async def stop_request(self, run: RunPath) -> tuple[frozenset[bytes], float]:
        """Return the writers to stop, and the seconds until the next request; raise NoServerError without an answer."""
        return await self._request(fetch_stop_request, run, self._settings.ask_deadline_s)

    async def run_number(self, run: RunPath) -> int:
        """Return the number of a run in its project; raise NoServerError if the server does not answer."""
        return await self._request(request_run_number, run, self._settings.number_deadline_s)

    async def _request(self, request: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        server = self._server()
        try:
            return await asyncio.to_thread(request, server, *arguments, **options)
        except CommError as error:
            raise NoServerError(str(error)) from error

    def _server(self) -> Server:
        server = resolve_server(self._environ, self._url)
        if server is None:
            raise NoServerError("no server is configured, and no local stack has been started: set RUNSTREAM_URL")
        return server


def destination_of(info: RunInfo, connection: Connection, entity: str) -> Destination:
    """Return where the run's events go on a server, whose limits are the contract's where it names no others."""
    run = RunPath(entity=entity, project=info.project, run_id=info.run_id)
    known = {field.name for field in fields(Limits)}
    named = {name: value for name, value in connection.limits.items() if name in known and value > 0}
    return Destination(connection, run, partition_of(run, connection.partitions), replace(DEFAULT_LIMITS, **named))
