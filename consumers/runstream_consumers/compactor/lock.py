"""The lock that the working compactor of a database holds."""

from __future__ import annotations

import asyncio

from runstream_consumers.runtime.plugin import Connection

#: An arbitrary number that other programs of the same database are unlikely to lock.
_LOCK = 0x52554E41
_HELD = """
select exists (
    select from pg_locks where locktype = 'advisory' and classid = 0 and objid = $1 and granted
        and database = (select oid from pg_database where datname = current_database())
)
"""


async def hold(connection: Connection) -> None:
    """Wait until no other process holds the lock, and hold it as long as the connection is open."""
    while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 — of Postgres
        await asyncio.sleep(1.0)


async def is_held(connection: Connection) -> bool:
    """Return whether a process holds the lock."""
    held: bool = await connection.fetchval(_HELD, _LOCK)
    return held
