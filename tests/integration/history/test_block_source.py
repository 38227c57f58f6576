"""Reading blocks: which ones are fetched, and that reading leaves the event loop responsive."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from runstream_consumers.history import latest
from runstream_consumers.history.arrivals.console import lines_before
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.history.reader import RowQuery, fingerprint, scan, series
from runstream_consumers.history.store import QUERIES
from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from tests.integration.history.rows import stored_rows
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import consuming, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from runstream_schemas.events import Event


@asynccontextmanager
async def stored(broker: str, prefix: str, database: str, events: Iterable[Event], rows: int) -> AsyncIterator[Any]:
    """Store events, and provide a connection to the database."""
    await publish(broker, prefix, events)
    async with consuming(HistoryConsumer(), settings_of(broker, prefix, database)):
        await stored_rows(database, rows)
    connection = await connect(database, application="test")
    try:
        yield connection
    finally:
        await connection.close()


async def _examined(connection: Any, query: str, *arguments: Any) -> float:
    """Return how many rows of the table a query reads, from its plan."""
    await connection.execute("analyze history.block")
    text = await connection.fetchval(
        f"explain (analyze, format json) {QUERIES[query].rstrip().rstrip(';')}", *arguments
    )

    def read(node: dict[str, Any]) -> float:
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return (own if "Scan" in node["Node Type"] and "Relation Name" in node else 0) + sum(
            read(child) for child in node.get("Plans", ())
        )

    return read(json.loads(text)[0]["Plan"])


async def test_wide_block_does_not_slow_down_later_pages(broker: str, prefix: str, database: str) -> None:
    """A page in the middle reads the blocks that reach its first step, however wide one block of the run is."""
    run = run_in(0)
    events = [block(run, writer(2), 0, 2, steps=[0, 3999])]
    events += [block(run, writer(1), first, 10) for first in range(0, 4000, 10)]
    async with stored(broker, prefix, database, events, 4002) as connection:
        examined = await _examined(connection, "blocks_across_step", run_key(run), 1, 3000)
        page = await scan(PostgresBlocks(connection), run, RowQuery(min_step=3000), limit=2000)
    assert examined < 30
    assert [row.step for row in page.rows] == sorted([*range(3000, 4000), 3999])


async def test_last_step_reads_only_the_last_blocks(broker: str, prefix: str, database: str) -> None:
    """Narrow and wide blocks are found from the end by an index, in the order of their last step."""
    run = run_in(0)
    events = [block(run, writer(1), first, 10) for first in range(0, 2000, 10)]
    events += [block(run, writer(2), 0, 2, steps=[5, 1500]), block(run, writer(3), 0, 2, steps=[1990, 2400])]
    async with stored(broker, prefix, database, events, 2004) as connection:
        blocks = PostgresBlocks(connection)
        assert await latest.last_step(blocks, run) == 2400
        async with blocks.snapshot():
            found = [
                item.last_step
                async for batch in blocks.backwards(run_key(run), Stream.HISTORY, 10**6)
                for item in batch
            ]
    assert found == sorted(found, reverse=True)
    assert len(found) == 202


async def test_tail_of_one_line_fetches_one_block(broker: str, prefix: str, database: str) -> None:
    """The last line is read from the last block only."""
    run = run_in(0)
    events = [block(run, writer(1), seq, 1, rows=[{"text": str(seq)}], stream=Stream.CONSOLE) for seq in range(20)]
    async with stored(broker, prefix, database, events, 20) as connection:
        batches = [len(batch) async for batch in PostgresBlocks(connection).latest(run_key(run), Stream.CONSOLE)]
        [line] = (await lines_before(PostgresBlocks(connection), run, limit=1)).lines
    assert batches == [1, 2, 4, 8, 5]
    assert line.values == {"text": "19"}


async def test_fingerprint_changes_with_the_rows(broker: str, prefix: str, database: str) -> None:
    """The fingerprint of a run stays the same until rows are added."""
    run = run_in(0)
    async with stored(broker, prefix, database, [block(run, writer(1), 0, 2)], 2) as connection:
        blocks = PostgresBlocks(connection)
        first = [await fingerprint(blocks, run, Stream.HISTORY) for _ in range(2)]
        async with stored(broker, prefix, database, [block(run, writer(1), 2, 2)], 4):
            changed = await fingerprint(blocks, run, Stream.HISTORY)
    assert first[0] == first[1] != changed


async def test_long_read_leaves_the_event_loop_responsive(broker: str, prefix: str, database: str) -> None:
    """While a chart of many blocks is read, another task runs between the blocks."""
    run = run_in(0)
    rows = [{f"key{key}": float(key) for key in range(20)}] * 500
    events = [block(run, writer(1), first, 500, rows=rows) for first in range(0, 50_000, 500)]
    async with stored(broker, prefix, database, events, 50_000) as connection:
        reading = asyncio.create_task(series(PostgresBlocks(connection), run, RowQuery()))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(await reading) == 20
    # On the loop, only the few fetches from the database would yield.
    assert turns > 200
