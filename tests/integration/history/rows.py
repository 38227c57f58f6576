"""What the history holds, as a test looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_consumers.history.reader import Cursor, Row, scan
from runstream_consumers.runtime.postgres.connection import connect
from tests.integration.runtime.ledger import fetch
from tests.polling import eventually_async

if TYPE_CHECKING:
    from runstream_schemas.topics import RunPath


async def stored_rows(database: str, count: int) -> None:
    """Wait until exactly so many rows are stored."""

    async def enough() -> bool:
        assert await rows_stored(database) == count
        return True

    await eventually_async(enough, within=60)


async def rows_stored(database: str) -> int:
    """Return how many rows are stored; 0 where there are no tables yet."""
    if (await fetch(database, "select to_regclass('history.writer') as found"))[0]["found"] is None:
        return 0
    [row] = await fetch(database, "select coalesce(sum(rows), 0)::bigint as rows from history.writer")
    return int(row["rows"])


async def rows_beyond(database: str, count: int) -> None:
    """Wait until more than so many rows are stored."""

    async def enough() -> bool:
        return await rows_stored(database) > count

    await eventually_async(enough, within=60, every=0.01)


async def read_all(database: str, run: RunPath, *, limit: int, **asked: Any) -> list[Row]:
    """Read all pages."""
    connection = await connect(database, application="test")
    rows: list[Row] = []
    after: Cursor | None = None
    try:
        while True:
            page = await scan(connection, run, after=after, limit=limit, **asked)
            rows += page.rows
            if page.next is None:
                return rows
            after = page.next
    finally:
        await connection.close()
