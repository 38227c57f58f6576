"""A small pool of Postgres connections, read-only by default, with a deadline for acquiring one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

from runstream_consumers.api.problems import Unavailable
from runstream_consumers.runtime.faults import POSTGRES_ERRORS

#: An asyncpg connection; asyncpg ships no types.
Connection = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """The number of connections, and timeouts in seconds."""

    connections: int = 8
    acquire_s: float = 3.0
    statement_s: float = 15.0
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Database:
    """Provides connections, each for one request; connects on first use, so that the API starts without Postgres."""

    _pool: Any
    _limits: PoolLimits

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Provide a connection; raises Unavailable if none is free in time, OSError if Postgres is unreachable."""
        try:
            connection = await self._pool.acquire(timeout=self._limits.acquire_s)
        except TimeoutError as error:
            raise Unavailable("database_busy", "No database connection became free in time; retry later.") from error
        try:
            yield connection
        finally:
            # The pool closes a connection that cannot be reset; the request has its answer.
            with suppress(*POSTGRES_ERRORS, OSError):
                await self._pool.release(connection)


async def _keep_session(_connection: Connection) -> None:
    """Leave a connection as it is after its transaction was ended: reads set nothing else, so a request is saved."""


@asynccontextmanager
async def open_database(dsn: str, limits: PoolLimits, *, read_only: bool = True) -> AsyncIterator[Database]:
    """Open a pool of connections and close it at the end; connects on first use."""
    pool = await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=limits.connections,
        timeout=limits.acquire_s,
        command_timeout=limits.statement_s + 1,
        max_inactive_connection_lifetime=limits.idle_s,
        server_settings={
            "application_name": "runstream-api",
            "default_transaction_read_only": "on" if read_only else "off",
            "statement_timeout": str(int(limits.statement_s * 1000)),
        },
        reset=_keep_session if read_only else None,
    )
    try:
        yield Database(pool, limits)
    finally:
        # Queries that still run are reads, and the process must exit quickly.
        pool.terminate()
