"""Where a run is delivered to: resolved again for each connection, and cached for when the API is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from runstream.exceptions import CommError, UsageError
from runstream.run_folder.descriptions import RunInfo
from runstream.server.connection import Connection, cache_connection, cached_connection, is_refusal
from runstream.server.discovery import Server, resolve_server
from runstream.server.endpoints import (
    StopRequests,
    fetch_resume_state,
    fetch_stop_requests,
    find_stack,
    request_run_number,
)
from runstream.server.messages import NO_SERVER
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
    """Requests to the server of a run, each with a deadline.

    ``get_clusters`` returns the ids of the clusters to which the run was delivered so far: they identify its stack.
    """

    def __init__(
        self,
        info: RunInfo,
        environ: Mapping[str, str],
        settings: ShipperSettings,
        get_clusters: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._url = info.url
        self._environ = environ
        self._settings = settings
        self._get_clusters = get_clusters
        #: The server that answered last: the local stack may have moved to another port.
        self._found: Server | None = None
        #: Called with the server that is asked, and again if another one answers.
        self.chosen: Callable[[Server], None] = _log_server
        self._noted = ""

    async def connect(self) -> Connection:
        """Return the server's brokers, topics and limits, or its last answer if it does not answer now.

        NoServerError is raised if neither is available, or if the server refuses the key.
        """
        server, clusters = self.configured(), self._get_clusters()
        self._note(self._found or server)
        try:
            found, connection = await asyncio.to_thread(
                find_stack, server, self._environ, clusters, self._settings.ask_deadline_s
            )
        except CommError as error:
            known = None if is_refusal(error) else cached_connection(server)
            if known is None:
                raise NoServerError(str(error)) from error
            log.debug("%s; using its last answer", error)
            return known
        self._found = found
        self._note(found)
        cache_connection(found, connection)
        return connection

    async def resume_state(self, run: RunPath) -> dict[str, Any]:
        """Return the last step of a run, and its writers; raise NoServerError if the server does not answer."""
        wait_s = self._settings.ask_deadline_s
        return await self._request(fetch_resume_state, run, step=None, wait_s=wait_s, timeout=2 * wait_s)

    async def stop_requests(self, run: RunPath) -> StopRequests:
        """Return the writers to stop, and the seconds until the next request; raise NoServerError without an answer."""
        return await self._request(fetch_stop_requests, run, self._settings.ask_deadline_s)

    async def run_number(self, run: RunPath) -> int:
        """Return the number of a run in its project; raise NoServerError if the server does not answer."""
        found = await self._request(request_run_number, run, self._settings.number_deadline_s)
        return found.number

    async def _request(self, request: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        server = self.server
        try:
            return await asyncio.to_thread(request, server, *arguments, **options)
        except CommError as error:
            raise NoServerError(str(error)) from error

    @property
    def server(self) -> Server:
        """The server that answered last, or the one to ask first; raises NoServerError if none is known."""
        return self._found or self.configured()

    def _note(self, server: Server) -> None:
        if server.url != self._noted:
            self._noted = server.url
            self.chosen(server)

    def configured(self) -> Server:
        """Return the server that is named now, else the one in the run folder; raises NoServerError if none is."""
        try:
            server = resolve_server(self._environ, recorded=self._url)
        except UsageError as error:
            raise NoServerError(f"{error}; use another: runstream sync --url URL") from error
        if server is None:
            raise NoServerError(NO_SERVER)
        return server


def _log_server(server: Server) -> None:
    log.info("server: %s (from %s)", server.url, server.source)


def destination_of(info: RunInfo, connection: Connection, entity: str) -> Destination:
    """Return where the run's events go on a server, whose limits are the contract's where it names no others."""
    run = RunPath(entity=entity, project=info.project, run_id=info.run_id)
    known = {field.name for field in fields(Limits)}
    named = {name: value for name, value in connection.limits.items() if name in known and value > 0}
    return Destination(connection, run, partition_of(run, connection.partitions), replace(DEFAULT_LIMITS, **named))
