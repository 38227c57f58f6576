"""Histories of which any part is archived, in memory, for comparison with the same history without an archive."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.layout import PartRecord, base_of
from runstream_consumers.archive.manifest import new_record
from runstream_consumers.archive.parquet.writer import directory_of
from runstream_consumers.archive.part_writer import EncodedPart, encode_part, read_part
from runstream_consumers.archive.rows import HotBlock, PartRows, concatenate, gather
from runstream_consumers.archive.stored_blocks import StoredBlocks
from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.model import WriterSteps, measure
from runstream_consumers.history.reader import HistoryRow, RowQuery, scan
from runstream_consumers.history.selection import EVERY_COLUMN
from runstream_consumers.history.view import RunFacts, WriterFacts
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

RUN = RunPath(entity="e", project="a=b é", run_id="r=1")
STREAM = events.Stream.HISTORY


@dataclass(repr=False)
class MemoryStore:
    """Objects in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes of an object, which must have them."""
        found = self.objects[key][start : start + length]
        assert len(found) == length > 0
        return found


@dataclass
class MemoryBlocks:
    """Blocks in memory, by run."""

    known: dict[UUID, RunFacts] = field(default_factory=dict)
    blocks: dict[UUID, list[Block]] = field(default_factory=dict)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Do nothing: nothing changes while it is read."""
        yield

    @asynccontextmanager
    async def reading(
        self, _run: UUID, _stream: events.Stream, _first: int, _last: int, *, size: int = 0
    ) -> AsyncIterator[MemoryBlocks]:
        """Provide the blocks."""
        del size
        yield self

    async def facts(self, run: UUID, stream: events.Stream) -> RunFacts:
        """Return what is known of a run."""
        assert stream is STREAM
        return self.known.get(run, RunFacts(run))

    async def facts_of(self, runs: Sequence[UUID], stream: events.Stream) -> dict[UUID, RunFacts]:
        """Return what is known of runs."""
        return {run: await self.facts(run, stream) for run in runs}

    async def outlines_of(
        self, _runs: Sequence[UUID], _stream: events.Stream, _first: int, _last: int
    ) -> dict[UUID, Sequence[Any]]:
        """Return none."""
        return {}

    async def recent_of(
        self, runs: Sequence[UUID], stream: events.Stream, first: int, last: int
    ) -> AsyncIterator[Sequence[tuple[UUID, Block]]]:
        """Yield the overlapping blocks of runs, last ones first."""
        for run in reversed(runs):
            found = [block async for batch in self.overlapping(run, stream, first, last) for block in batch]
            yield [(run, block) for block in reversed(found)]

    async def overlapping(
        self, run: UUID, _stream: events.Stream, first: int, last: int, *, rows: int = 0
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield blocks by their first step, two at a time."""
        del rows
        found = [one for one in self.blocks.get(run, ()) if one.first_step <= last and one.last_step >= first]
        for batch in _batches(sorted(found, key=lambda one: (one.first_step, one.offset, one.seq))):
            yield batch

    async def outlines(self, _run: UUID, _stream: events.Stream, _first: int, _last: int) -> Sequence[Any]:
        """Return none."""
        return ()

    def recent(self, run: UUID, stream: events.Stream, first: int, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield all overlapping blocks."""
        return self.overlapping(run, stream, first, last)

    async def backwards(self, run: UUID, _stream: events.Stream, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield blocks by their last step, greatest first."""
        found = [one for one in self.blocks.get(run, ()) if one.first_step <= last]
        for batch in _batches(sorted(found, key=lambda one: -one.last_step)):
            yield batch

    async def latest(
        self,
        run: UUID,
        _stream: events.Stream,
        *,
        most: int | None = None,
        before: tuple[int, int] | None = None,
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield blocks, latest arrival first."""
        assert before is None
        found = sorted(self.blocks.get(run, ()), key=lambda one: (-one.offset, -one.seq))
        for batch in _batches(found[:most]):
            yield batch

    async def newest(self, run: UUID, _stream: events.Stream) -> int | None:
        """Return the greatest offset."""
        return max((one.offset for one in self.blocks.get(run, ())), default=None)

    async def earliest(
        self, run: UUID, _stream: events.Stream, *, after: tuple[int, int], size: int
    ) -> Sequence[Block]:
        """Return at most three blocks with rows after a place."""
        assert size
        found = [one for one in self.blocks.get(run, ()) if (one.offset, one.seq + _rows(one) - 1) > after]
        return sorted(found, key=lambda one: (one.offset, one.seq))[:3]


@dataclass
class MemoryManifest:
    """Parts in memory, by run."""

    records: dict[UUID, list[PartRecord]] = field(default_factory=dict)

    async def parts(self, run: UUID, _stream: events.Stream, first: int, last: int) -> list[PartRecord]:
        """Return parts by their first step."""
        found = [one for one in self.records.get(run, ()) if one.max_step >= first and one.min_step <= last]
        return sorted(found, key=lambda one: one.min_step)

    async def parts_of(
        self, runs: Sequence[UUID], stream: events.Stream, first: int, last: int
    ) -> dict[UUID, list[PartRecord]]:
        """Return those of several runs."""
        return {run: found for run in runs if (found := await self.parts(run, stream, first, last))}

    async def newest_of(self, runs: Sequence[UUID], _stream: events.Stream) -> dict[UUID, int | None]:
        """Return the greatest offset of those in parts."""
        return {run: max((one.last_offset for one in self.records.get(run, ())), default=None) for run in runs}


@dataclass(repr=False)
class History:
    """A history, and the same with parts of it archived."""

    whole: MemoryBlocks = field(default_factory=MemoryBlocks)
    hot: MemoryBlocks = field(default_factory=MemoryBlocks)
    manifest: MemoryManifest = field(default_factory=MemoryManifest)
    store: MemoryStore = field(default_factory=MemoryStore)

    @property
    def archive(self) -> Archive:
        """A new archive, which has read nothing."""
        return Archive(self.store)

    @property
    def stored(self) -> StoredBlocks:
        """The blocks wherever they are."""
        return StoredBlocks(self.hot, self.manifest, self.archive)

    def add(self, run: UUID, facts: RunFacts, blocks: Iterable[Block]) -> None:
        """Add a run whose blocks are all in the table."""
        for target in (self.whole, self.hot):
            target.known[run] = facts
            target.blocks[run] = list(blocks)

    def archive_blocks(self, run: UUID, chosen: Iterable[int]) -> None:
        """Move some blocks of a run, by number, to a part."""
        numbers = set(chosen)
        blocks = self.hot.blocks[run]
        moved = [block for number, block in enumerate(blocks) if number in numbers]
        self.hot.blocks[run] = [block for number, block in enumerate(blocks) if number not in numbers]
        if moved:
            self._add_part(run, gather([hot_block(block) for block in moved]))

    def join_parts(self, run: UUID) -> None:
        """Make one part of all parts of a run."""
        records = self.manifest.records.pop(run, [])
        if records:
            archive = self.archive
            self._add_part(run, concatenate([read_part(archive.open(record)) for record in records]))

    def _add_part(self, run: UUID, rows: PartRows) -> None:
        part = uuid4()
        record = new_record(RUN, STREAM, part, rows, store_part(self.store, rows, base_of(RUN, STREAM, part)))
        self.manifest.records.setdefault(run, []).append(record)


def store_part(store: MemoryStore, rows: PartRows, base: str) -> EncodedPart:
    """Store the objects of a part; return their sizes."""
    objects = list(encode_part(rows, directory_of(rows), base))
    store.objects |= {one.key: bytes(one.data) for one in objects}
    return EncodedPart([one.size for one in objects])


def hot_block(block: Block) -> HotBlock:
    """Return a block as the compactor reads it."""
    event = block.payload.decode(EVERY_COLUMN)
    return HotBlock(
        offset=block.offset, greatest_before=block.greatest_before, append_time=block.offset * 7, event=event
    )


def logged(blocks: Sequence[tuple[int, Sequence[int], Sequence[dict[str, Any]]]]) -> tuple[RunFacts, list[Block]]:
    """Return the facts and the blocks of a run: writer, steps, rows of each, in the order of their arrival."""
    steps_of: dict[int, WriterSteps] = {}
    found = []
    for offset, (number, steps, rows) in enumerate(blocks):
        before = steps_of.get(number, WriterSteps())
        orders = np.arange(before.rows, before.rows + len(steps))
        event = events.LogEvent(
            header=events.Header(
                kind=events.Kind.DATA,
                run=RUN,
                writer=events.Writer(id=bytes([number + 1]) * 16, role=events.Role.WORKER),
                time=0,
                seq=before.rows,
                count=len(steps),
            ),
            stream=STREAM,
            orders=orders,
            steps=np.array(steps, dtype=np.int64),
            times=1_000_000 + orders * 10 + number,
            columns=pack_rows(rows),
        )
        of_block, steps_of[number] = measure(event, before, offset)
        place = (event.writer.id, 3 * offset, event.seq, of_block.least, of_block.greatest, before.greatest)
        found.append(Block(*place, Message(encode(event))))
    writers = {
        UUID(bytes=bytes([number + 1]) * 16): WriterFacts(one.first_step, one.began) for number, one in steps_of.items()
    }
    return RunFacts(run_key(RUN), writers), found


def all_rows(source: Any, run: RunPath, query: RowQuery, *, limit: int, hidden: bool = False) -> list[HistoryRow]:
    """Return the rows of all pages."""

    async def read() -> list[HistoryRow]:
        rows: list[HistoryRow] = []
        after = None
        while True:
            page = await scan(source, run, query, after=after, limit=limit, hidden=hidden)
            rows += page.rows
            if page.next is None:
                return rows
            after = page.next

    return asyncio.run(read())


def _rows(block: Block) -> int:
    return block.payload.decode(EVERY_COLUMN).count


def _batches(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    return [blocks[start : start + 2] for start in range(0, len(blocks), 2)]
