"""Reads the history for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.history.reader import Cursor, HistoryRow, RowQuery, scan
from runstream_consumers.runtime.postgres.connection import connect
from tests.integration.runtime.ledger import fetch
from tests.polling import eventually_async

if TYPE_CHECKING:
    from runstream_schemas.topics import RunPath


async def stored_rows(database: str, count: int) -> None:
    """Wait until exactly ``count`` rows are stored."""

    async def enough() -> bool:
        assert await rows_stored(database) == count
        return True

    await eventually_async(enough, within=120)


async def rows_stored(database: str) -> int:
    """Return the number of stored rows; 0 if the tables do not exist yet."""
    if (await fetch(database, "select to_regclass('history.writer') as found"))[0]["found"] is None:
        return 0
    [row] = await fetch(database, "select coalesce(sum(rows), 0)::bigint as rows from history.writer")
    return int(row["rows"])


async def rows_beyond(database: str, count: int) -> None:
    """Wait until more than ``count`` rows are stored."""

    async def enough() -> bool:
        return await rows_stored(database) > count

    await eventually_async(enough, within=120, every=0.01)


async def read_all(database: str, run: RunPath, *, limit: int, **asked: Any) -> list[HistoryRow]:
    """Read all pages."""
    connection = await connect(database, application="test")
    rows: list[HistoryRow] = []
    after: Cursor | None = None
    try:
        while True:
            page = await scan(PostgresBlocks(connection), run, RowQuery(**asked), after=after, limit=limit)
            rows += page.rows
            if page.next is None:
                return rows
            after = page.next
    finally:
        await connection.close()
