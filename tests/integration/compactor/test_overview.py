"""Runs that are read by one statement, with messages that were read before."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.manifest import PostgresManifest
from runstream_consumers.archive.overview import Extent, read_overview
from runstream_consumers.archive.stored_blocks import StoredBlocks
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.history.reader import HistoryRow, RowQuery, Series, chart, fingerprint, scan
from runstream_consumers.history.selection import NO_COLUMN
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from tests.integration.compactor.compacting import settings_of, working
from tests.integration.history.rows import stored_rows
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import consuming
from tests.integration.runtime.ledger import settings_of as consumer_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from runstream_consumers.compactor.process import Compactor
    from runstream_consumers.runtime.plugin import Connection
    from runstream_deploy.services.object_store import ObjectStore as Server
    from runstream_schemas.events import Event

RUN = run_in(0)
EXTENT = Extent(run=run_key(RUN), stream=Stream.HISTORY, first=-(2**63), last=2**63 - 1, size=0)


@asynccontextmanager
async def _archive(
    broker: str, prefix: str, database: str, server: Server
) -> AsyncIterator[tuple[Compactor, Connection, Archive]]:
    """Provide a compactor, a connection and an archive, over 40 rows in wide, narrow and late blocks of two writers."""
    events = [block(RUN, writer(1), 0, 10, steps=range(0, 2000, 200)), block(RUN, writer(1), 10, 10)]
    events += [block(RUN, writer(2), 0, 10, steps=range(500, 510)), block(RUN, writer(2), 10, 10, steps=range(90, 100))]
    await _store(broker, prefix, database, events, 40)
    settings = await settings_of(database, server)
    async with working(settings) as compactor, connected(database, application="test") as connection:
        with Archive.opened(compactor.store) as archive:
            yield compactor, connection, archive


async def _store(broker: str, prefix: str, database: str, events: Iterable[Event], rows: int) -> None:
    await publish(broker, prefix, events)
    async with consuming(HistoryConsumer(), consumer_settings(broker, prefix, database)):
        await stored_rows(database, rows)


async def _pages(blocks: StoredBlocks, **query: Any) -> list[HistoryRow]:
    rows: list[HistoryRow] = []
    after = None
    while True:
        page = await scan(blocks, RUN, RowQuery(**query), after=after, limit=7)
        rows += page.rows
        if (after := page.next) is None:
            return rows


async def _points(blocks: StoredBlocks, first: int, last: int) -> list[tuple[int, float]]:
    query = RowQuery(keys=["at"], min_step=first, max_step=last)
    _, found = await chart(blocks, RUN, query, samples=500, origins={}, render=_listed)
    return found or []


def _listed(found: dict[tuple[str, bytes], Series]) -> list[tuple[int, float]]:
    return [pair for one in found.values() for pair in zip(one.steps.tolist(), one.values.tolist(), strict=True)]


async def _check(connection: Connection, archive: Archive) -> int:
    """Compare reads by one statement with those in transactions; return the number of rows."""
    plain = StoredBlocks(PostgresBlocks(connection), PostgresManifest(connection), archive)
    short = StoredBlocks.of(connection, archive)
    every = await _pages(plain)
    assert await _pages(short) == every
    assert await fingerprint(short, RUN, Stream.HISTORY) == await fingerprint(plain, RUN, Stream.HISTORY)
    for first, last in ((0, 95), (93, 501), (95, 96), (450, 1700), (3000, 4000)):
        assert await _pages(short, min_step=first, max_step=last) == await _pages(plain, min_step=first, max_step=last)
        assert await _points(short, first, last) == await _points(plain, first, last)
    return len(every)


async def test_reads_by_one_statement_are_those_of_a_transaction(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """Blocks in the table, parts and later blocks are read alike, also by a process that has read the run before."""
    async with _archive(broker, prefix, database, object_store) as (compactor, connection, archive):
        assert await _check(connection, archive) == 40
        await compactor.run_once()
        assert await _check(connection, archive) == 40
        late = [block(RUN, writer(2), 20, 10, steps=range(1000, 1010)), block(RUN, writer(1), 20, 5)]
        await _store(broker, prefix, database, late, 55)
        assert await _check(connection, archive) == 55
        await compactor.run_once()
        assert await _check(connection, archive) == 55
        assert archive.recent.of(EXTENT.run, Stream.HISTORY) == {}


async def test_messages_that_were_read_are_not_read_again(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """An overview has the blocks whose messages fit or are known, and states whether these are all."""
    async with _archive(broker, prefix, database, object_store) as (_, connection, archive):
        blocks = [
            await read_overview(connection, archive.recent, replace(EXTENT, size=size)) for size in (0, 1, 10**6, 0)
        ]
        assert [len(one.blocks) for one in blocks] == [0, 1, 4, 4]
        assert [one.is_complete for one in blocks] == [False, False, True, True]


async def test_what_was_read_is_not_shown_when_it_has_changed(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """A message that was stored again at its place is read again, and the rows of a deleted run are gone."""
    async with _archive(broker, prefix, database, object_store) as (_, connection, archive):
        assert await _check(connection, archive) == 40
        await connection.execute(
            "update history.block set append_time = block.append_time + 1, message = other.message "
            "from history.block as other "
            "where block.seq = 10 and other.seq = 0 and block.writer = other.writer"
        )
        read = await read_overview(connection, archive.recent, EXTENT)
        assert [one.seq for one in read.blocks] == [0]
        read = await read_overview(connection, archive.recent, replace(EXTENT, size=10**6))
        steps = [one.payload.decode(NO_COLUMN).steps.tolist() for one in read.blocks if one.writer == writer(1).id]
        assert steps == [list(range(0, 2000, 200))] * 2
        await connection.execute("delete from history.block")
        assert await _check(connection, archive) == 0
        assert archive.recent.of(EXTENT.run, Stream.HISTORY) == {}
