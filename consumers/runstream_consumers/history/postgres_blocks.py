"""Blocks in the table of the history consumer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any
from uuid import UUID

from runstream_consumers.history.block_source import Outline, merge_blocks
from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.store import QUERIES, STREAM_NUMBERS
from runstream_consumers.history.view import BranchFacts, RunFacts, WriterFacts
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

#: Maximum width of a block, in steps, that is found by its first step alone; as in queries.sql.
_NARROW = 100
#: Blocks in the first batch; a block has up to half a megabyte. Batches double while they are smaller than the limit.
_FIRST_BATCH = 4
_BATCH_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PostgresBlocks:
    """A block source over one connection, which must not be in a failed transaction."""

    _connection: Connection

    def snapshot(self) -> AbstractAsyncContextManager[object]:
        """Read within one transaction."""
        transaction: AbstractAsyncContextManager[object] = self._connection.transaction(
            isolation="repeatable_read", readonly=True
        )
        return transaction

    @asynccontextmanager
    async def reading(
        self,
        run: UUID,  # noqa: ARG002 — of the interface, as those that follow
        stream: Stream,  # noqa: ARG002
        first: int,  # noqa: ARG002
        last: int,  # noqa: ARG002
        *,
        size: int = GREATEST,  # noqa: ARG002
    ) -> AsyncIterator[PostgresBlocks]:
        """Provide this source within one transaction."""
        async with self.snapshot():
            yield self

    async def facts(self, run: UUID, stream: Stream) -> RunFacts:
        """Return what the tables hold on the writers and branches of a run."""
        return (await self.facts_of([run], stream))[run]

    async def facts_of(self, runs: Sequence[UUID], stream: Stream) -> dict[UUID, RunFacts]:
        """Return what the tables hold on the writers and branches of runs."""
        writers: dict[UUID, dict[UUID, WriterFacts]] = {run: {} for run in runs}
        for row in await self._connection.fetch(QUERIES["writers_of"], list(runs), STREAM_NUMBERS[stream]):
            writers[row["run"]][row["writer"]] = WriterFacts(row["first_step"], row["began"])
        if stream is not Stream.HISTORY:
            return {run: RunFacts(run, writers[run]) for run in runs}
        lineage: dict[UUID, dict[UUID, set[UUID]]] = {run: {} for run in runs}
        for row in await self._connection.fetch(QUERIES["lineage_of"], list(runs)):
            lineage[row["run"]].setdefault(row["writer"], set()).add(row["continues"])
        branches: dict[UUID, list[BranchFacts]] = {run: [] for run in runs}
        for run, *columns in await self._connection.fetch(QUERIES["branches_of"], list(runs)):
            branches[run].append(BranchFacts(*columns))
        return {run: RunFacts(run, writers[run], lineage[run], branches[run]) for run in runs}

    async def recent_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> AsyncIterator[Sequence[tuple[UUID, Block]]]:
        """Yield the blocks of runs that overlap a range of steps (both inclusive), each with its run."""
        async for rows in self._rows("blocks_of_runs", list(runs), STREAM_NUMBERS[stream], first, last):
            yield [(row["run"], _block(row)) for row in rows]

    async def overlapping(
        self,
        run: UUID,
        stream: Stream,
        first: int,
        last: int,
        *,
        rows: int = GREATEST,  # noqa: ARG002 — of the interface
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that overlap a range of steps (both inclusive), by their first step."""
        place = (run, STREAM_NUMBERS[stream])
        if NO_STEP < first <= last:
            # A separate query, so that both find their rows by an index, however wide single blocks are.
            async for blocks in self._batches("blocks_across_step", *place, first):
                yield blocks
        async for blocks in self._batches("blocks_from_step", *place, first, last):
            yield blocks

    async def outlines(self, run: UUID, stream: Stream, first: int, last: int) -> Sequence[Outline]:  # noqa: ARG002
        """Return none: the rows of these blocks are few enough to be read."""
        return ()

    def recent(self, run: UUID, stream: Stream, first: int, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks of :meth:`overlapping`."""
        return self.overlapping(run, stream, first, last)

    async def backwards(self, run: UUID, stream: Stream, last: int) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that begin at or before a step, by their last step, greatest first."""
        place = (run, STREAM_NUMBERS[stream])
        narrow = _by_last_step(self._batches("narrow_blocks_to_step", *place, last))
        wide = self._batches("wide_blocks_to_step", *place, last)
        async for blocks in merge_blocks([narrow, wide], lambda block: -block.last_step):
            yield blocks

    async def latest(
        self, run: UUID, stream: Stream, *, most: int | None = None, before: tuple[int, int] | None = None
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks of a stream, or at most so many, latest arrival first; the first batch is a single block."""
        left = GREATEST if most is None else most
        offset, seq = before or (GREATEST, GREATEST)
        count = 1
        while rows := await self._connection.fetch(
            QUERIES["latest_blocks"], run, STREAM_NUMBERS[stream], offset, seq, min(count, left)
        ):
            yield [_block(row) for row in rows]
            left -= len(rows)
            if len(rows) < count or not left:
                return
            offset, seq = rows[-1]["offset"], rows[-1]["seq"]
            count = _next_batch(count, rows)

    async def newest(self, run: UUID, stream: Stream) -> int | None:
        """Return the greatest offset of the rows of a stream; None if there are none."""
        return await self._connection.fetchval(QUERIES["newest"], run, STREAM_NUMBERS[stream])  # type: ignore[no-any-return]

    async def earliest(self, run: UUID, stream: Stream, *, after: tuple[int, int], size: int) -> Sequence[Block]:
        """Return blocks with the next rows after an offset and a sequence number, by their arrival."""
        rows = await self._connection.fetch(QUERIES["earliest_blocks"], run, STREAM_NUMBERS[stream], *after, size)
        return [_block(row) for row in rows]

    async def _batches(self, query: str, *arguments: Any) -> AsyncIterator[Sequence[Block]]:
        async for rows in self._rows(query, *arguments):
            yield [_block(row) for row in rows]

    async def _rows(self, query: str, *arguments: Any) -> AsyncIterator[Sequence[Any]]:
        cursor = await self._connection.cursor(QUERIES[query], *arguments)
        count = _FIRST_BATCH
        while rows := await cursor.fetch(count):
            yield rows
            count = _next_batch(count, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPoint:
    """The point from which a run continues another run (a fork) or itself (a rewind)."""

    #: None if nothing of that run has arrived.
    run: RunPath | None
    #: The last step that is continued.
    step: int
    #: Append time, microseconds since 1970.
    time: int


async def branches_of_runs(connection: Connection, runs: Sequence[RunPath]) -> dict[RunPath, list[BranchPoint]]:
    """Return the branches of those runs that have any, oldest first."""
    paths = {run_key(run): run for run in runs}
    found: dict[RunPath, list[BranchPoint]] = {}
    for row in await connection.fetch(QUERIES["branches_of_runs"], list(paths)):
        origin = row["entity"] and RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"])
        point = BranchPoint(run=origin or None, step=row["step"], time=row["append_time"])
        found.setdefault(paths[row["run"]], []).append(point)
    return found


async def _by_last_step(narrow: AsyncIterator[Sequence[Block]]) -> AsyncIterator[Sequence[Block]]:
    """Reorder narrow blocks, which come by their first step, greatest first."""
    #: The greatest last step on top; of equal ones, the first to arrive.
    held: list[tuple[int, int, Block]] = []
    arrived = count()
    async for blocks in narrow:
        for block in blocks:
            heappush(held, (-block.last_step, next(arrived), block))
        # No later block reaches beyond this step.
        limit = blocks[-1].first_step + _NARROW
        ready = []
        while held and -held[0][0] >= limit:
            ready.append(heappop(held)[2])
        if ready:
            yield ready
    if held:
        yield [block for _, _, block in sorted(held, key=lambda item: item[:2])]


def _next_batch(count: int, rows: Sequence[Any]) -> int:
    return count * 2 if sum(len(row["message"]) for row in rows) < _BATCH_BYTES // 2 else count


def _block(row: Any) -> Block:
    return Block(
        writer=row["writer"].bytes,
        offset=row["offset"],
        seq=row["seq"],
        first_step=row["min_step"],
        last_step=row["max_step"],
        greatest_before=NO_STEP if row["greatest"] is None else row["greatest"],
        payload=Message(row["message"]),
    )
