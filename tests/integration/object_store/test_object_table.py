"""The table of objects, with many rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from runstream_consumers.control import schema
from runstream_consumers.stored_objects import object_table
from tests.integration.summary.feeding import connected

if TYPE_CHECKING:
    from runstream_consumers.runtime.plugin import Connection

_READ = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'control.object'::regclass"


def _hashes(first: int, count: int) -> dict[bytes, int]:
    return {hashlib.sha256(str(number).encode()).digest(): number for number in range(first, first + count)}


async def _rows_read(connection: Connection, asked: dict[bytes, int]) -> int:
    """Return how many rows of the table were read to look for some objects, all of which are stored."""
    async with connection.transaction():
        before = await connection.fetchval(_READ) or 0
        known = await object_table.want(connection, "ada", asked)
        assert {sha256: (one.size, one.stored, one.new) for sha256, one in known.items()} == {
            sha256: (size, True, False) for sha256, size in asked.items()
        }
        return int(await connection.fetchval(_READ) - before)


async def test_what_is_not_asked_for_is_not_read(database: str) -> None:
    """A request reads the rows of its objects, also when the table has become large since the first requests."""
    async with connected(database) as connection:
        await schema.prepare(connection)
        few, many = _hashes(0, 20), _hashes(20, 20_000)
        await object_table.set_stored(connection, "ada", few)
        await connection.execute("vacuum analyze control.object")
        assert [await _rows_read(connection, few) for _ in range(8)] == [20] * 8
        await object_table.set_stored(connection, "ada", many)
        assert await _rows_read(connection, dict(list(many.items())[:500])) == 500
        await connection.execute("analyze control.object")
        assert await _rows_read(connection, dict(list(many.items())[:500])) == 500
