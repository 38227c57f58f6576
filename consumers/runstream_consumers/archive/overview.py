"""What is read of a run by one statement, and so in one state: what determines its view, its parts, its latest blocks.

Without it, a chart needs a transaction of a dozen statements. Of blocks that were read before, only their places are
read again, since their messages never change.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runstream_consumers.archive.layout import PartRecord
from runstream_consumers.archive.manifest import QUERIES, PostgresManifest
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.history.store import STREAM_NUMBERS
from runstream_consumers.history.view import BranchFacts, RunFacts, WriterFacts
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

#: Messages that are read at once, and blocks of which the places are: bytes, and a number.
_MOST_BYTES, _MOST_BLOCKS = 24 * 1024 * 1024, 2000

#: Offset, sequence number and append time of a block.
Place = tuple[int, int, int]
_PART = (
    "part", "base", "files", "index_object_size", "index_size", "rows", "points", "columns",
    "min_step", "max_step", "first_offset", "last_offset",
)  # fmt: skip


class RecentMessages:
    """Messages of blocks that are not archived, as they were read last, up to a number of bytes."""

    def __init__(self, size: int) -> None:
        self._of_run: Cache[dict[Place, bytes]] = Cache(size)

    def of(self, run: UUID, stream: Stream) -> dict[Place, bytes]:
        """Return the known messages of a run."""
        return self._of_run.get((run, stream)) or {}

    def keep(self, run: UUID, stream: Stream, messages: dict[Place, bytes], oldest: int) -> None:
        """Keep messages in place of those that were known; those before an offset are not in the table anymore."""
        kept = {place: message for place, message in messages.items() if place[0] >= oldest}
        size = sum(map(len, kept.values()))
        if len(kept) > _MOST_BLOCKS or size > _MOST_BYTES:
            kept, size = {}, 0
        self._of_run.put((run, stream), kept, size + 300 * len(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A run in one state of the tables."""

    facts: RunFacts
    #: All parts, by their first step.
    parts: Sequence[PartRecord]
    #: The greatest offset of rows that are not archived.
    newest: int | None
    #: Blocks of these that overlap the range, by their first step.
    blocks: Sequence[Block]
    #: Whether these are all.
    has_all_blocks: bool

    @property
    def is_complete(self) -> bool:
        """Whether nothing else is needed: all blocks are there, and no rows of another run are part of the view."""
        return self.has_all_blocks and self.facts.fork is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Of which run and stream an overview is read, and which blocks: in a range of steps (both inclusive)."""

    run: UUID
    stream: Stream
    first: int
    last: int
    #: Bytes of blocks that are read.
    size: int


async def read_overview(connection: Connection, messages: RecentMessages, of: Extent) -> Overview:
    """Return the state of a run."""
    run, stream = of.run, of.stream
    known = messages.of(run, stream)
    columns = columns_of(known) if known else ([], [], [])
    limits = (min(of.size, _MOST_BYTES), _MOST_BLOCKS)
    row = await connection.fetchrow(
        QUERIES["overview"], run, STREAM_NUMBERS[stream], of.first, of.last, *columns, *limits
    )
    found = dict(known)
    blocks = []
    for writer, offset, seq, greatest, min_step, max_step, append_time, message in row["blocks"]:
        if message is not None:
            found[offset, seq, append_time] = message
        elif (message := known.get((offset, seq, append_time))) is None:
            break
        before = NO_STEP if greatest is None else greatest
        blocks.append(Block(writer.bytes, offset, seq, min_step, max_step, before, Message(message)))
    if found:
        messages.keep(run, stream, found, GREATEST if row["oldest"] is None else row["oldest"])
    return Overview(
        facts=_facts(run, stream, row),
        parts=_parts(stream, row),
        newest=row["newest"],
        blocks=blocks,
        has_all_blocks=len(blocks) == len(row["blocks"]) < _MOST_BLOCKS,
    )


def _facts(run: UUID, stream: Stream, row: Any) -> RunFacts:
    writers = {writer: WriterFacts(first_step, began) for writer, first_step, began in row["writers"]}
    if stream is not Stream.HISTORY:
        return RunFacts(run, writers)
    lineage: dict[UUID, set[UUID]] = {}
    for writer, continues in row["lineage"]:
        lineage.setdefault(writer, set()).add(continues)
    return RunFacts(run, writers, lineage, [BranchFacts(*columns) for columns in row["branches"]])


def _parts(stream: Stream, row: Any) -> list[PartRecord]:
    if not row["paths"]:
        return []
    entity, project, run_id = row["paths"][0]
    path = RunPath(entity=entity, project=project, run_id=run_id)
    return [PartRecord(run=path, stream=stream, **dict(zip(_PART, one, strict=True))) for one in row["parts"]]


@dataclass(frozen=True, slots=True)
class OverviewManifest(PostgresManifest):
    """The manifest of which the parts of one run were read."""

    _overview: Overview

    async def parts_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> dict[UUID, list[PartRecord]]:
        """Return the parts of runs that have rows in a range of steps (both inclusive), by their first step."""
        own = self._overview.facts.run
        others = [run for run in runs if run != own]
        found = await PostgresManifest.parts_of(self, others, stream, first, last) if others else {}
        if own in runs:
            found[own] = [one for one in self._overview.parts if one.max_step >= first and one.min_step <= last]
        return found


@dataclass(frozen=True, slots=True)
class OverviewBlocks(PostgresBlocks):
    """The table of blocks of which the first blocks of one run were read; others are read when they are needed."""

    _overview: Overview

    async def facts_of(self, runs: Sequence[UUID], stream: Stream) -> dict[UUID, RunFacts]:
        """Return what is known of the writers and branches of runs."""
        own = self._overview.facts
        others = [run for run in runs if run != own.run]
        found = await PostgresBlocks.facts_of(self, others, stream) if others else {}
        return {**found, own.run: own}

    async def newest(self, run: UUID, stream: Stream) -> int | None:
        """Return the greatest offset of the rows of a stream; None if there are none."""
        if run == self._overview.facts.run:
            return self._overview.newest
        return await PostgresBlocks.newest(self, run, stream)

    async def overlapping(
        self, run: UUID, stream: Stream, first: int, last: int, *, rows: int = GREATEST
    ) -> AsyncIterator[Sequence[Block]]:
        """Yield the blocks that overlap a range of steps (both inclusive), by their first step."""
        is_own = run == self._overview.facts.run
        blocks = self._overview.blocks if is_own else ()
        if found := [one for one in blocks if one.first_step <= last and one.last_step >= first]:
            yield found
        if is_own and self._overview.has_all_blocks:
            return
        seen = {(one.offset, one.seq) for one in blocks}
        async for batch in PostgresBlocks.overlapping(self, run, stream, first, last, rows=rows):
            if rest := [one for one in batch if (one.offset, one.seq) not in seen]:
                yield rest
