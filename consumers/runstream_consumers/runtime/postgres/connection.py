"""Connections to Postgres on which every wait is bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from runstream_consumers.runtime.plugin import Connection, Connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits in seconds; by default asyncpg and Postgres have none."""

    connect: float = 10.0
    #: Enforced by the client, for a server that no longer answers.
    command: float = 30.0
    #: Enforced by the server, so that it gives up before the client does.
    statement: float = 25.0
    lock: float = 10.0
    #: After this time the server rolls back a transaction whose client does not continue, and releases its locks.
    idle_in_transaction: float = 60.0


DEFAULT_TIMEOUTS = Timeouts()


async def connect(
    dsn: str, *, application: str, schema: str | None = None, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> Connection:
    """Return a connection on which every wait is bounded; ``schema`` becomes its search path.

    Raises OSError, including TimeoutError, or asyncpg's errors if the server is unavailable.
    """
    return await asyncpg.connect(dsn, **_limits(application, schema, timeouts))


@asynccontextmanager
async def connected(dsn: str, *, application: str, schema: str | None = None) -> AsyncIterator[Connection]:
    """Provide a connection of :func:`connect`; its end rolls back what is not committed."""
    connection = await connect(dsn, application=application, schema=schema)
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def open_connections(dsn: str, *, application: str, schema: str, limit: int) -> AsyncIterator[Connections]:
    """Provide up to ``limit`` connections, opened on demand; an acquisition waits as long as a connection attempt."""
    limits = _limits(application, schema, DEFAULT_TIMEOUTS)
    pool = await asyncpg.create_pool(dsn, min_size=0, max_size=limit, **limits)
    try:
        yield lambda: pool.acquire(timeout=DEFAULT_TIMEOUTS.connect)
    finally:
        pool.terminate()


def _limits(application: str, schema: str | None, timeouts: Timeouts) -> dict[str, Any]:
    settings = {
        "application_name": f"runstream {application}",
        "idle_in_transaction_session_timeout": _milliseconds(timeouts.idle_in_transaction),
        "jit": "off",  # costs more than it saves for short statements
        "lock_timeout": _milliseconds(timeouts.lock),
        "statement_timeout": _milliseconds(timeouts.statement),
        "tcp_keepalives_count": "3",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
    }
    if schema is not None:
        settings["search_path"] = f'"{schema}"'
    return {"timeout": timeouts.connect, "command_timeout": timeouts.command, "server_settings": settings}


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
