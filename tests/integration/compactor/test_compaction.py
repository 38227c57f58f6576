"""Compaction with real servers: rows move to the object store and are read from there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runstream_consumers.archive.manifest import PartConflict
from runstream_consumers.compactor.compaction import Compaction, ReadLimits
from runstream_consumers.compactor.orphans import delete_orphans, find_orphans
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.history.reader import HistoryRow, RowQuery, fingerprint, scan, series
from runstream_consumers.object_store.store import ObjectMissing, ObjectStore
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.process_lock import ProcessLock, is_held
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from tests.integration.compactor.compacting import reading, settings_of, working
from tests.integration.history.rows import stored_rows
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import consuming
from tests.integration.runtime.ledger import settings_of as consumer_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream_consumers.archive.stored_blocks import StoredBlocks
    from runstream_consumers.runtime.plugin import Connection
    from runstream_deploy.services.object_store import ObjectStore as Server
    from runstream_schemas.events import Event

RUN = run_in(0)
OTHER = run_in(0, 1)


async def _store(broker: str, prefix: str, database: str, events: Iterable[Event], rows: int) -> None:
    await publish(broker, prefix, events)
    async with consuming(HistoryConsumer(), consumer_settings(broker, prefix, database)):
        await stored_rows(database, rows)


async def _rows(blocks: StoredBlocks, **query: Any) -> list[HistoryRow]:
    rows: list[HistoryRow] = []
    after = None
    while True:
        page = await scan(blocks, RUN, RowQuery(**query), after=after, limit=90)
        rows += page.rows
        if (after := page.next) is None:
            return rows


async def _keys(store: ObjectStore) -> set[str]:
    return {one.key async for page in store.objects("lake/") for one in page}


async def _hot(connection: Connection) -> int:
    count: int = await connection.fetchval("select count(*) from history.block")
    return count


async def test_rows_are_the_same_after_compaction(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """Blocks that are archived in several parts, then joined, and blocks that arrive later are one run."""
    settings = await settings_of(database, object_store)
    events = [block(RUN, writer(number), seq, 25, steps=range(seq, seq + 25)) for number in (1, 2) for seq in (0, 25)]
    await _store(broker, prefix, database, events, 100)
    async with working(settings) as compactor:
        async with reading(settings, compactor) as blocks:
            before = await _rows(blocks)
            tag = await fingerprint(blocks, RUN, Stream.HISTORY)
        assert await compactor.run_once() == 100
        assert await _hot(compactor.connection) == 0
        async with reading(settings, compactor) as blocks:
            assert await _rows(blocks) == before
            assert await fingerprint(blocks, RUN, Stream.HISTORY) == tag
        late = [block(RUN, writer(1), seq, 10, steps=range(seq - 45, seq - 35)) for seq in (50, 60, 70)]
        await _store(broker, prefix, database, late, 130)
        async with reading(settings, compactor) as blocks:
            before = await _rows(blocks)
        compaction = Compaction(compactor.connection, compactor.store, compactor.archive)
        assert await compaction.join_parts(RUN, Stream.HISTORY, is_final=True) == 0
        await compactor.run_once()
        assert await compaction.join_parts(RUN, Stream.HISTORY, is_final=True) == 2
        assert len(await _keys(compactor.store)) == 6
        assert await delete_orphans(compactor.connection, compactor.store, grace_s=3600) == 0
        assert await delete_orphans(compactor.connection, compactor.store, grace_s=0) == 4
        async with reading(settings, compactor) as blocks:
            assert await _rows(blocks) == before
            found = await series(blocks, RUN, RowQuery(keys=["at"]), samples=1000)
        assert len(before) == 130
        assert sum(len(one.steps) for one in found.values()) == 130


@pytest.mark.parametrize("limits", [ReadLimits(columns=2, fetched=2), ReadLimits(rows=9, fetched=2)])
async def test_what_is_read_at_once_is_limited(
    broker: str, prefix: str, database: str, object_store: Server, limits: ReadLimits
) -> None:
    """Of blocks that take more memory together than a compaction may use, the next ones become another part."""
    settings = await settings_of(database, object_store)
    await _store(broker, prefix, database, [block(RUN, writer(1), seq, 5) for seq in range(0, 30, 5)], 30)
    async with working(settings) as compactor:
        async with reading(settings, compactor) as blocks:
            before = await _rows(blocks)
        compaction = Compaction(compactor.connection, compactor.store, compactor.archive, limits)
        assert [await compaction.archive_blocks(RUN, Stream.HISTORY) for _ in range(4)] == [10, 10, 10, 0]
        async with reading(settings, compactor) as blocks:
            assert await _rows(blocks) == before


async def test_a_part_is_added_only_if_its_blocks_are_there(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """A compaction that finds its blocks removed changes nothing, and leaves orphans that are deleted later."""
    settings = await settings_of(database, object_store)
    await _store(broker, prefix, database, [block(RUN, writer(1), 0, 5), block(RUN, writer(1), 5, 5)], 10)
    async with working(settings) as compactor, connected(database, application="test") as other:
        compaction = Compaction(compactor.connection, compactor.store, compactor.archive)
        write = compaction.store.write

        async def write_late(*arguments: Any) -> None:
            await write(*arguments)
            await other.execute('delete from history.block where "offset" > 0')

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compaction.store, "write", write_late)
            with pytest.raises(PartConflict, match="1 of 2 blocks are gone"):
                await compaction.archive_blocks(RUN, Stream.HISTORY)
        assert await _hot(compactor.connection) == 1
        assert len(await _keys(compactor.store)) == 2
        assert await delete_orphans(compactor.connection, compactor.store, grace_s=3600) == 2
        assert await _keys(compactor.store) == set()


async def test_the_parts_of_a_deleted_run_are_deleted(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """The objects of a run are deleted with its rows, also if a part is added while the run is being deleted."""
    settings = await settings_of(database, object_store)
    await _store(broker, prefix, database, [block(run, writer(1), 0, 5) for run in (RUN, OTHER)], 10)
    async with working(settings) as compactor, connected(database, application="test") as other:
        await compactor.run_once()
        await other.execute("delete from history.run where run = $1", run_key(RUN))
        assert await delete_orphans(compactor.connection, compactor.store, grace_s=3600) == 0
        assert await delete_orphans(compactor.connection, compactor.store, grace_s=0) == 2
        assert all(f"run={OTHER.run_id}/" in key for key in await _keys(compactor.store))
        await _store(broker, prefix, database, [block(OTHER, writer(1), 5, 5)], 15)
        await other.execute("delete from history.run where run = $1", run_key(OTHER))
        compaction = Compaction(compactor.connection, compactor.store, compactor.archive)
        with pytest.raises(PartConflict, match="was deleted"):
            await compaction.archive_blocks(OTHER, Stream.HISTORY)
        assert await compactor.run_once() == 0


async def test_objects_that_no_table_knows_are_found(
    broker: str, prefix: str, database: str, object_store: Server
) -> None:
    """After the tables were rebuilt, the objects of the former parts are deleted, and no others."""
    settings = await settings_of(database, object_store)
    await _store(broker, prefix, database, [block(run, writer(1), 0, 5) for run in (RUN, OTHER)], 10)
    async with working(settings) as compactor:
        await compactor.run_once()
        connection, store = compactor.connection, compactor.store
        await store.write("others/object", b"x")
        before = await _keys(store)
        assert await find_orphans(connection, store, older_than_s=-60) == 0
        await connection.execute("delete from history.archive_part where base like $1", f"lake/%/run={RUN.run_id}/%")
        await connection.execute("delete from history.archive_orphan")
        assert await find_orphans(connection, store, older_than_s=3600) == 0
        found = await find_orphans(connection, store, older_than_s=-60)
        assert await delete_orphans(connection, store, grace_s=0) == found > 0
        left = await _keys(store)
        assert len(before) == 4
        assert left < before
        assert await store.stat("others/object") is not None


async def test_a_missing_object_is_named(broker: str, prefix: str, database: str, object_store: Server) -> None:
    """Reading rows whose object was deleted raises an error with its key."""
    settings = await settings_of(database, object_store)
    await _store(broker, prefix, database, [block(RUN, writer(1), 0, 5)], 5)
    async with working(settings) as compactor:
        await compactor.run_once()
        await compactor.store.delete(sorted(await _keys(compactor.store)))
        async with reading(settings, compactor) as blocks:
            with pytest.raises(ObjectMissing, match="lake/entity=team"):
                await _rows(blocks)


async def test_one_compactor_of_a_database_works(database: str, object_store: Server) -> None:
    """Another one waits until the first one ends, and then works."""
    settings = await settings_of(database, object_store)
    begun = asyncio.Event()

    async def second() -> None:
        async with working(settings):
            begun.set()

    async with working(settings) as compactor:
        task = asyncio.create_task(second())
        assert await is_held(compactor.connection, ProcessLock.COMPACTOR)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun.wait(), 1.5)
    await asyncio.wait_for(task, 30)
    assert begun.is_set()
