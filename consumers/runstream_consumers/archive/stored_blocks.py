"""The blocks of a run wherever they are: in the table of the history consumer, or in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol, Self, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.arrivals import Arrivals
from runstream_consumers.archive.layout import PartRecord
from runstream_consumers.archive.manifest import PostgresManifest
from runstream_consumers.archive.overview import Extent, Overview, OverviewBlocks, OverviewManifest, read_overview
from runstream_consumers.archive.part_blocks import PartBlock, divided
from runstream_consumers.history.block_source import BlockSource, Outline, merge_blocks
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.view import RunFacts
from runstream_consumers.runtime.plugin import Connection
from runstream_schemas.events import LogEvent, Stream

if TYPE_CHECKING:
    from runstream_consumers.archive.part import OpenPart

#: Blocks of the archive that are yielded at once.
_BATCH = 64
#: Parts that are opened ahead of those that are read.
_AHEAD = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ArchivedRows:
    """The payload of a block in a part."""

    part: OpenPart
    block: PartBlock

    @property
    def size(self) -> int:
        """About the number of stored bytes."""
        return 8 * self.block.rows

    def decode(self, selection: Selection) -> LogEvent:
        """Return the rows with the selected columns only."""
        return self.part.event(self.block, selection)

    def offsets(self) -> NDArray[np.int64] | None:
        """Return the offset of each row; None if all have that of the block."""
        return None if self.block.offset == self.block.last_offset else self.part.offsets(self.block)


class Manifest(Protocol):
    """What is known of the parts of runs."""

    async def parts(self, run: UUID, stream: Stream, first: int, last: int) -> Sequence[PartRecord]:
        """Return the parts that have rows in a range of steps (both inclusive), by their first step."""

    async def parts_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> Mapping[UUID, Sequence[PartRecord]]:
        """Return those of several runs; runs without parts are left out."""

    async def newest_of(self, runs: Sequence[UUID], stream: Stream) -> Mapping[UUID, int | None]:
        """Return the greatest offset of the rows of each run, archived or not; None if there are none."""


class HotBlocks(BlockSource, Protocol):
    """The blocks that are not archived."""

    async def facts_of(self, runs: Sequence[UUID], stream: Stream) -> Mapping[UUID, RunFacts]:
        """Return what is known of the writers and branches of each run."""

    def recent_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> AsyncIterator[Sequence[tuple[UUID, Block]]]:
        """Yield the blocks of runs that overlap a range of steps (both inclusive), each with its run."""


class StoredBlocks:
    """The block source of all readers.

    Reading rows raises ObjectMissing, ObjectDamaged or StoreUnavailable if the object store does not have them.
    """

    def __init__(
        self, hot: HotBlocks, manifest: Manifest, archive: Archive, connection: Connection | None = None
    ) -> None:
        self._hot = hot
        self._manifest = manifest
        self._archive = archive
        self._connection = connection

    @classmethod
    def of(cls, connection: Connection, archive: Archive) -> Self:
        """Return the source over one connection, which must not be in a failed transaction."""
        return cls(PostgresBlocks(connection), PostgresManifest(connection), archive, connection)

    def snapshot(self) -> AbstractAsyncContextManager[object]:
        """Read within one transaction, in which each row is in exactly one place."""
        return self._hot.snapshot()

    @asynccontextmanager
    async def reading(
        self, run: UUID, stream: Stream, first: int, last: int, *, size: int = GREATEST
    ) -> AsyncIterator[StoredBlocks]:
        """Provide a source of one state, in which blocks of a run in a range of steps (both inclusive) are read.

        One statement reads them with what determines the view, up to ``size`` bytes of those that are not archived. If
        more may be needed, it is repeated in a transaction.
        """
        if self._connection is None:
            async with self.snapshot():
                yield self
            return
        extent = Extent(run=run, stream=stream, first=first, last=last, size=size)
        found = await read_overview(self._connection, self._archive.recent, extent)
        if found.is_complete:
            yield self._with(found, self._connection)
            return
        async with self.snapshot():
            found = await read_overview(self._connection, self._archive.recent, extent)
            yield self._with(found, self._connection)

    def _with(self, found: Overview, connection: Connection) -> StoredBlocks:
        return StoredBlocks(OverviewBlocks(connection, found), OverviewManifest(connection, found), self._archive)

    async def facts(self, run: UUID, stream: Stream) -> RunFacts:
        """Return what is known of the writers and branches of a run."""
        return await self._hot.facts(run, stream)

    async def overlapping(
        self, run: UUID, stream: Stream, first: int, last: int, *, rows: int = GREATEST
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that overlap a range of steps (both inclusive), by their first step."""
        archived = self._archived(
            await self._manifest.parts(run, stream, first, last),
            before=lambda part: part.min_step,
            order=lambda block: block.first_step,
            wanted=lambda block: block.first_step <= last and block.last_step >= first,
            rows=rows,
        )
        streams = [self._hot.overlapping(run, stream, first, last, rows=rows), archived]
        async for blocks in merge_blocks(streams, lambda block: block.first_step):
            yield blocks

    async def outlines(self, run: UUID, stream: Stream, first: int, last: int) -> Sequence[Outline]:
        """Return the outlines of the archived blocks that overlap a range of steps (both inclusive)."""
        return (await self.outlines_of([run], stream, first, last)).get(run, ())

    async def facts_of(self, runs: Sequence[UUID], stream: Stream) -> Mapping[UUID, RunFacts]:
        """Return what is known of the writers and branches of runs."""
        return await self._hot.facts_of(runs, stream)

    async def outlines_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> Mapping[UUID, Sequence[Outline]]:
        """Return the outlines of the archived blocks of runs that overlap a range of steps (both inclusive)."""
        if not (parts := await self._manifest.parts_of(runs, stream, first, last)):
            return {}
        from runstream_consumers.archive.outline import PartOutline  # noqa: PLC0415 — imports pyarrow

        opening = {run: [self._archive.start_opening(part) for part in of_run] for run, of_run in parts.items()}
        return {run: [PartOutline(await _result(part)) for part in of_run] for run, of_run in opening.items()}

    def recent_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> AsyncIterator[Sequence[tuple[UUID, Block]]]:
        """Yield the blocks of runs that overlap the range and are not archived, each with its run."""
        return self._hot.recent_of(runs, stream, first, last)

    def recent(self, run: UUID, stream: Stream, first: int, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield those blocks of :meth:`overlapping` that are not archived."""
        return self._hot.overlapping(run, stream, first, last)

    async def backwards(self, run: UUID, stream: Stream, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that begin at or before a step, by their last step, greatest first."""
        archived = self._archived(
            sorted(await self._manifest.parts(run, stream, NO_STEP, last), key=lambda part: -part.max_step),
            before=lambda part: -part.max_step,
            order=lambda block: -block.last_step,
            wanted=lambda block: block.first_step <= last,
        )
        async for blocks in merge_blocks(
            [self._hot.backwards(run, stream, last), archived], lambda block: -block.last_step
        ):
            yield blocks

    async def latest(
        self, run: UUID, stream: Stream, *, most: int | None = None, before: tuple[int, int] | None = None
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks of a stream, or at most so many, latest arrival first; the first batch is a single block."""
        parts = sorted(await self._manifest.parts(run, stream, NO_STEP, GREATEST), key=lambda part: -part.last_offset)
        hot = self._hot.latest(run, stream, most=most, before=before)
        archived = self._archived(
            parts,
            before=lambda part: -part.last_offset,
            order=lambda block: -block.last_offset,
            wanted=lambda block: before is None or (block.last_offset, block.seq) < before,
        )
        left = GREATEST if most is None else most
        async for blocks in merge_blocks([hot, archived] if parts else [hot], lambda block: -block.final_offset):
            yield blocks[:left]
            left -= len(blocks)
            if left <= 0:
                return

    async def newest(self, run: UUID, stream: Stream) -> int | None:
        """Return the greatest offset of the rows of a stream; None if there are none."""
        parts = await self._manifest.parts(run, stream, NO_STEP, GREATEST)
        hot = await self._hot.newest(run, stream)
        return max([*(part.last_offset for part in parts), *([] if hot is None else [hot])], default=None)

    async def newest_of(self, runs: Sequence[UUID], stream: Stream) -> Mapping[UUID, int | None]:
        """Return :meth:`newest` of several runs."""
        return await self._manifest.newest_of(runs, stream)

    async def earliest(self, run: UUID, stream: Stream, *, after: tuple[int, int], size: int) -> Sequence[Block]:
        """Return blocks with the next rows after an offset and a sequence number, by their arrival."""
        hot = await self._hot.earliest(run, stream, after=after, size=size)
        if not (parts := await self._manifest.parts(run, stream, NO_STEP, GREATEST)):
            return hot
        return await Arrivals(parts, after, self._open, _block).merged(hot)

    async def _open(self, part: PartRecord) -> OpenPart:
        return await _result(self._archive.start_opening(part))

    async def _archived(
        self,
        parts: Sequence[PartRecord],
        *,
        before: Callable[[PartRecord], int],
        order: Callable[[PartBlock], int],
        wanted: Callable[[PartBlock], bool],
        rows: int = GREATEST,
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the wanted blocks of parts in order; no block of a part precedes what ``before`` returns of it.

        Those of more than twice ``rows`` rows are divided.
        """
        held = _HeldBlocks(order, wanted, rows)
        opening: dict[UUID, Future[OpenPart]] = {}
        for index, record in enumerate(parts):
            for block in held.ready(before(record)):
                yield block
            for ahead in parts[index : index + _AHEAD]:
                if ahead.part not in opening:
                    opening[ahead.part] = self._archive.start_opening(ahead)
            held.add(await _result(opening.pop(record.part)))
        for block in held.ready(None):
            yield block


class _HeldBlocks:
    """Wanted blocks of parts in order; those of more than twice ``rows`` rows are divided when it is their turn."""

    def __init__(self, order: Callable[[PartBlock], int], wanted: Callable[[PartBlock], bool], rows: int) -> None:
        self._order = order
        self._wanted = wanted
        self._rows = rows
        #: What it is ordered by, a number, the part, the block, and whether it is not to be divided.
        self._held: list[tuple[int, int, OpenPart, PartBlock, bool]] = []
        self._number = count()

    def add(self, part: OpenPart) -> None:
        """Add the wanted blocks of a part."""
        for block in filter(self._wanted, part.index.blocks.listed()):
            self._push(part, block, is_whole=block.rows // 2 <= self._rows or not part.index.buckets)

    def ready(self, limit: int | None) -> Iterator[Sequence[Block]]:
        """Remove and yield, in batches, the blocks that come before others that are not known yet."""
        ready: list[Block] = []
        size = 4
        while self._held and (limit is None or self._held[0][0] < limit):
            _, _, part, block, is_whole = heappop(self._held)
            if is_whole:
                ready.append(_block(part, block))
            else:
                for piece in filter(self._wanted, divided(block, part.index.buckets[0], self._rows)):
                    self._push(part, piece, is_whole=True)
            if len(ready) == size:
                yield ready
                ready, size = [], min(2 * size, _BATCH)
        if ready:
            yield ready

    def _push(self, part: OpenPart, block: PartBlock, *, is_whole: bool) -> None:
        heappush(self._held, (self._order(block), next(self._number), part, block, is_whole))


def _block(part: OpenPart, block: PartBlock) -> Block:
    return Block(
        writer=part.index.writers[block.writer].id,
        offset=block.offset,
        seq=block.seq,
        first_step=block.first_step,
        last_step=block.last_step,
        greatest_before=block.greatest_before,
        payload=ArchivedRows(part, block),
        last_offset=block.last_offset,
    )


async def _result(future: Future[T]) -> T:
    return future.result() if future.done() else await asyncio.wrap_future(future)
