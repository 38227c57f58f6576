"""Locks of which one process of a database holds each, so that of several processes of a kind one works."""

from __future__ import annotations

import asyncio
from enum import IntEnum

from runstream_consumers.runtime.plugin import Connection

_HELD = """
select exists (
    select from pg_locks where locktype = 'advisory' and classid = 0 and objid = $1 and granted
        and database = (select oid from pg_database where datname = current_database())
)
"""


class ProcessLock(IntEnum):
    """Arbitrary numbers that other programs of the same database are unlikely to lock."""

    COMPACTOR = 0x52554E41
    ARCHIVER = 0x52554E42


async def hold(connection: Connection, lock: ProcessLock) -> None:
    """Wait until no other process holds a lock, and hold it as long as the connection is open."""
    while not await connection.fetchval("select pg_try_advisory_lock($1)", lock):  # noqa: ASYNC110 — of Postgres
        await asyncio.sleep(1.0)


async def is_held(connection: Connection, lock: ProcessLock) -> bool:
    """Return whether a process holds a lock."""
    held: bool = await connection.fetchval(_HELD, lock)
    return held
