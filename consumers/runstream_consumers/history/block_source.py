"""Where blocks are stored, as an interface, and reading the blocks of a view across the runs that it consists of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from runstream_consumers.history.blocks import Block
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.sampling import OutlinePoints
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.view import RowSource, RunFacts, view_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

#: Forks of forks that are followed; longer chains are treated as an attack.
GENERATIONS = 100


class Outline(Protocol):
    """Blocks of the archive from which charts are drawn without reading their rows. Methods run in threads."""

    @property
    def lines(self) -> Collection[bytes]:
        """The writers of the rows."""

    @property
    def ascending(self) -> tuple[int, int] | None:
        """The first and the last step if no row is late with respect to other rows of the outline and those before."""

    def rows(self, first: int, last: int) -> int:
        """Return about how many rows are in a range of steps (both inclusive)."""

    def start(
        self,
        selection: Selection,
        part: RowSource,
        first: int,
        last: int,
        *,
        bucket_rows: int,
        every_row: bool = False,
    ) -> Callable[[], Iterator[OutlinePoints]]:
        """Begin to read the points of the selected metrics in a range of steps, and return what yields them.

        The range is inclusive, and of it what a view shows. Buckets of at most ``bucket_rows`` rows are represented by
        their points at the ends and their extremes; with 0, every value is a point. With ``every_row``, the rows are a
        metric, too: zeros under the key EVERY_ROW.
        """


class BlockSource(Protocol):
    """Storage of blocks. Each method returns blocks in batches of bounded size."""

    def snapshot(self) -> AbstractAsyncContextManager[object]:
        """Read within one consistent state of the storage."""

    def reading(
        self, run: UUID, stream: Stream, first: int, last: int, *, size: int = GREATEST
    ) -> AbstractAsyncContextManager[BlockSource]:
        """Provide a source of one state, in which blocks of a run in a range of steps (both inclusive) are read.

        ``size`` is how many bytes of those that are not archived are needed, probably.
        """

    async def facts(self, run: UUID, stream: Stream) -> RunFacts:
        """Return what is known of the writers and branches of a run."""

    def overlapping(
        self, run: UUID, stream: Stream, first: int, last: int, *, rows: int = GREATEST
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that overlap a range of steps (both inclusive), by their first step.

        Blocks of many more rows than ``rows``, which a reader needs, may be yielded in pieces.
        """

    async def outlines(self, run: UUID, stream: Stream, first: int, last: int) -> Sequence[Outline]:
        """Return the outlines of the archived blocks that overlap a range of steps (both inclusive)."""

    def recent(self, run: UUID, stream: Stream, first: int, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield those blocks of :meth:`overlapping` that are not archived."""

    def backwards(self, run: UUID, stream: Stream, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that begin at or before a step, by their last step, greatest first."""

    def latest(
        self, run: UUID, stream: Stream, *, most: int | None = None, before: tuple[int, int] | None = None
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks of a stream, or at most so many, latest arrival first; the first batch is a single block.

        ``before`` is an offset and a sequence number; only blocks that are less are returned.
        """

    async def newest(self, run: UUID, stream: Stream) -> int | None:
        """Return the greatest offset of the rows of a stream; None if there are none."""

    async def earliest(self, run: UUID, stream: Stream, *, after: tuple[int, int], size: int) -> Sequence[Block]:
        """Return blocks with the next rows after an offset and a sequence number, by their arrival.

        They have about ``size`` stored bytes, and at least one such row if there is any. The first one may begin
        before the place. The sequence numbers of the rows of a block are consecutive.
        """


async def load_view(source: BlockSource, run: RunPath, stream: Stream) -> list[RowSource]:
    """Return the runs whose rows a view consists of; only history can be inherited from another run."""
    key = run_key(run)
    lineage = [await source.facts(key, stream)]
    while (fork := lineage[-1].fork) is not None and len(lineage) < GENERATIONS:
        if any(known.run == fork.origin for known in lineage):
            break
        lineage.append(await source.facts(fork.origin, stream))
    return view_of(lineage)


async def blocks_by_step(
    source: BlockSource, view: Sequence[RowSource], stream: Stream, first: int, last: int, *, rows: int = GREATEST
) -> AsyncIterator[Sequence[Block]]:
    """Yield the blocks of a view that overlap a range of steps (both inclusive), by their first step.

    ``rows`` is how many rows are needed, as for :meth:`BlockSource.overlapping`.
    """
    streams = [
        _placed(source.overlapping(part.facts.run, stream, first, min(last, part.last_step), rows=rows), part)
        for part in view
    ]
    async for blocks in merge_blocks(streams, lambda block: block.first_step):
        yield blocks


async def recent_by_step(
    source: BlockSource, view: Sequence[RowSource], stream: Stream, first: int, last: int
) -> AsyncIterator[Sequence[Block]]:
    """Yield those blocks of :func:`blocks_by_step` of which there is no outline."""
    streams = [_placed(source.recent(part.facts.run, stream, first, min(last, part.last_step)), part) for part in view]
    async for blocks in merge_blocks(streams, lambda block: block.first_step):
        yield blocks


async def outlines_by_part(
    source: BlockSource, view: Sequence[RowSource], stream: Stream, first: int, last: int
) -> list[tuple[RowSource, Outline]]:
    """Return the outlines of a view in a range of steps (both inclusive), each with the run whose rows it has."""
    return [
        (part, outline)
        for part in view
        for outline in await source.outlines(part.facts.run, stream, first, min(last, part.last_step))
    ]


async def blocks_backwards(
    source: BlockSource, view: Sequence[RowSource], stream: Stream, last: int = GREATEST
) -> AsyncIterator[Sequence[Block]]:
    """Yield the blocks of a view that show rows up to a step, by their last step (at most ``last``), greatest first."""
    streams = [_placed(source.backwards(part.facts.run, stream, min(last, part.last_step)), part) for part in view]
    async for blocks in merge_blocks(streams, lambda block: -block.last_step):
        yield [replace(block, last_step=min(block.last_step, last)) for block in blocks if block.is_shown]


async def _placed(stream: AsyncIterator[Sequence[Block]], part: RowSource) -> AsyncIterator[Sequence[Block]]:
    async for blocks in stream:
        if found := placed(blocks, part):
            yield found


def placed(blocks: Iterable[Block], part: RowSource) -> list[Block]:
    """Return the blocks of a run as a view has them; those of which it has no rows are left out."""
    return [
        replace(block, rank=part.rank, bounds=bounds, last_step=min(block.last_step, part.last_step))
        for whole in blocks
        for block in _divided(whole, part)
        if (bounds := part.bounds_of(block.writer, block.offset)) is not None
    ]


def _divided(block: Block, part: RowSource) -> Sequence[Block]:
    """Return a block in pieces between which a rewind arrived, which hides the rows before it."""
    if block.offset == block.final_offset:
        return [block]
    rewinds = part.cuts.rewinds_within(block.offset, block.final_offset)
    return block.divided(rewinds) if rewinds else [block]


async def merge_blocks(
    streams: Sequence[AsyncIterator[Sequence[Block]]], order: Callable[[Block], int]
) -> AsyncIterator[Sequence[Block]]:
    """Merge ordered batches of blocks; a single stream is passed through."""
    if len(streams) == 1:
        async for blocks in streams[0]:
            yield blocks
        return
    #: Batches, how many blocks of each were yielded, and the streams that they came from.
    waiting = [(held, 0, stream) for stream in streams if (held := await _next_batch(stream))]
    while waiting:
        # What no other stream can precede: up to the least of the last blocks that are held.
        limit = min(order(held[-1]) for held, _, _ in waiting)
        ready: list[Block] = []
        following = []
        for held, start, stream in waiting:
            stop = bisect_right(held, limit, start, key=order)
            ready += held[start:stop]
            following.append((held, stop, stream))
        yield sorted(ready, key=order)
        waiting = [
            (held, start, stream) if start < len(held) else (await _next_batch(stream), 0, stream)
            for held, start, stream in following
        ]
        waiting = [item for item in waiting if item[0]]


async def _next_batch(stream: AsyncIterator[Sequence[Block]]) -> list[Block]:
    """Return the next batch; empty at the end."""
    try:
        return list(await anext(stream))
    except StopAsyncIteration:
        return []
