"""The way to the server: asked for anew at each connection, remembered for when the API is down."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from runstream.exceptions import CommError
from runstream.server.connection import Connection, cache_connection, cached_connection
from runstream.server.discovery import resolve_server
from runstream.server.endpoints import connect, fetch_resume_state
from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.topics import RunPath, partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.run_folder.descriptions import RunInfo

log = logging.getLogger(__name__)


class NoServerError(Exception):
    """No server is known, or none answers and none ever has."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the events of a run go."""

    connection: Connection
    run: RunPath
    partition: int
    limits: Limits


class Route:
    """Resolves the server of a run.

    Args:
        info: The run.
        environ: Names the server, as for the client.
        deadline_s: How long the server may take to answer.
    """

    def __init__(self, info: RunInfo, environ: Mapping[str, str], deadline_s: float) -> None:
        self._info = info
        self._environ = environ
        self._deadline_s = deadline_s

    async def ask(self) -> Connection:
        """Return what the server says of itself, or, where it does not answer, what it said last.

        Raises:
            NoServerError: Nothing is known.
        """
        server = resolve_server(self._environ, self._info.url)
        if server is None:
            raise NoServerError("no server is known: none was named and no local stack has ever run")
        try:
            connection = await asyncio.to_thread(connect, server, self._deadline_s)
        except CommError as error:
            known = cached_connection(server)
            if known is None:
                raise NoServerError(str(error)) from error
            log.debug("%s; going by its last answer", error)
            return known
        cache_connection(server, connection)
        return connection

    async def resume_state(self, run: RunPath) -> dict[str, Any]:
        """Return how the run stands.

        Raises:
            NoServerError: Nobody says.
        """
        server = resolve_server(self._environ, self._info.url)
        if server is None:
            raise NoServerError("no server is known: none was named and no local stack has ever run")
        wait_s = self._deadline_s
        try:
            return await asyncio.to_thread(
                fetch_resume_state, server, run, step=None, wait_s=wait_s, timeout=2 * wait_s
            )
        except CommError as error:
            raise NoServerError(f"how far the run is cannot be asked: {error}") from error


def destination(info: RunInfo, connection: Connection, entity: str) -> Destination:
    """Return where the run's events go on that server."""
    run = RunPath(entity=entity, project=info.project, run_id=info.run_id)
    return Destination(connection, run, partition_of(run, connection.partitions), limits_of(connection))


def limits_of(connection: Connection) -> Limits:
    """Return the server's limits; what it does not name is as the contract says."""
    known = {field.name for field in fields(Limits)}
    given = {name: value for name, value in connection.limits.items() if name in known and value > 0}
    return Limits(**{**{name: getattr(DEFAULT_LIMITS, name) for name in known}, **given})
