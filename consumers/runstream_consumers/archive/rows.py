"""The rows of a part in memory: gathered from blocks, or from other parts. Pure.

Rows are ordered by writer, in the order in which the writers began, and then by their arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import ColumnId
from runstream_consumers.archive.part_blocks import PartBlock, PartBlocks
from runstream_consumers.history.model import late_rows
from runstream_schemas.events import Column, ColumnType, LogEvent, Writer

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HotBlock:
    """A block of the table, decoded."""

    offset: int
    greatest_before: int
    append_time: int
    event: LogEvent

    @property
    def place(self) -> tuple[int, int]:
        """Its position in the order of arrival."""
        return self.offset, self.event.seq

    @property
    def is_readable(self) -> bool:
        """Whether all of its columns are of types that this version knows."""
        return all(column.type is not ColumnType.UNKNOWN for column in self.event.columns)


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """The values of one column in a part."""

    #: The rows that have a value, ascending; None if every row has one.
    rows: Numbers | None
    #: float64, int64 or bool; None for null and json.
    values: NDArray[Any] | None
    #: json only.
    texts: Sequence[str] = ()

    def count(self, rows: int) -> int:
        """Return the number of values in a part of ``rows`` rows."""
        return rows if self.rows is None else len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRows:
    """The rows of a part; arrays have one element per row."""

    writers: Sequence[Writer]
    #: Number of the writer of each row.
    writer: Numbers
    steps: Numbers
    times: Numbers
    orders: Numbers
    offsets: Numbers
    seqs: Numbers
    append_times: Numbers
    #: Whether a row is below its writer's greatest step before it.
    late: NDArray[np.bool_]
    blocks: PartBlocks
    #: In the order in which they were logged first.
    columns: Mapping[ColumnId, ColumnValues]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def points(self) -> int:
        """The number of values."""
        return sum(values.count(len(self)) for values in self.columns.values())


def gather(blocks: Iterable[HotBlock]) -> PartRows:
    """Return the rows of at least one block."""
    known = {block.event.writer.id: block.event.writer for block in sorted(blocks, key=lambda one: one.place)}
    numbers = {writer: number for number, writer in enumerate(known)}
    ordered = sorted(blocks, key=lambda one: (numbers[one.event.writer.id], one.place))
    events = [block.event for block in ordered]
    counts = np.array([event.count for event in events], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    return PartRows(
        writers=list(known.values()),
        writer=np.repeat([numbers[event.writer.id] for event in events], counts).astype(np.int64),
        steps=np.concatenate([event.steps for event in events]),
        times=np.concatenate([event.times for event in events]),
        orders=np.concatenate([event.orders for event in events]),
        offsets=np.repeat(np.array([block.offset for block in ordered], dtype=np.int64), counts),
        seqs=np.concatenate([np.arange(event.seq, event.seq + event.count, dtype=np.int64) for event in events]),
        append_times=np.repeat(np.array([block.append_time for block in ordered], dtype=np.int64), counts),
        late=np.concatenate([late_rows(block.event.steps, block.greatest_before) for block in ordered]),
        blocks=PartBlocks.of(
            map(_part_block, ordered, [numbers[event.writer.id] for event in events], starts.tolist())
        ),
        columns=_gathered(events, starts.tolist()),
    )


def concatenate(parts: Sequence[PartRows]) -> PartRows:
    """Return the rows of several parts of one run as one part."""
    known = {writer.id: writer for part in parts for writer in part.writers}
    numbers = {writer: number for number, writer in enumerate(known)}
    renamed = [np.array([numbers[writer.id] for writer in part.writers], dtype=np.int64) for part in parts]
    writer = np.concatenate([names[part.writer] for names, part in zip(renamed, parts, strict=True)])
    offsets = np.concatenate([part.offsets for part in parts])
    seqs = np.concatenate([part.seqs for part in parts])
    order = np.lexsort((seqs, offsets, writer))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    bases = np.cumsum([0, *(len(part) for part in parts)])[:-1].tolist()

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])[order]

    blocks = [
        block._replace(writer=int(names[block.writer]), start=start)
        for base, names, part in zip(bases, renamed, parts, strict=True)
        for start, block in _moved_blocks(part, place[base : base + len(part)])
    ]
    return PartRows(
        writers=list(known.values()),
        writer=writer[order],
        steps=joined("steps"),
        times=joined("times"),
        orders=joined("orders"),
        offsets=offsets[order],
        seqs=seqs[order],
        append_times=joined("append_times"),
        late=joined("late"),
        blocks=PartBlocks.of(sorted(blocks, key=lambda one: one.start)),
        columns=_merged(parts, bases, place),
    )


def _moved_blocks(part: PartRows, place: Numbers) -> Iterator[tuple[int, PartBlock]]:
    """Yield the blocks of a part with their first rows in a new one; rows of another part may divide a block.

    That is so if messages of the writer were archived later than those that follow them.
    """
    for block in part.blocks.listed():
        places = place[block.start : block.start + block.rows]
        edges = np.flatnonzero(np.diff(places) != 1) + 1
        for first, stop in pairwise([0, *edges.tolist(), block.rows]):
            yield int(places[first]), block if stop - first == block.rows else _piece(part, block, first, stop)


def _piece(part: PartRows, block: PartBlock, first: int, stop: int) -> PartBlock:
    start, end = block.start + first, block.start + stop
    steps = part.steps[start:end]
    earlier = part.steps[block.start : start]
    return block._replace(
        rows=stop - first,
        first_step=int(steps.min()),
        last_step=int(steps.max()),
        offset=int(part.offsets[start]),
        seq=int(part.seqs[start]),
        last_offset=int(part.offsets[end - 1]),
        greatest_before=max(block.greatest_before, int(earlier.max()) if len(earlier) else block.greatest_before),
    )


def _part_block(block: HotBlock, writer: int, start: int) -> PartBlock:
    event = block.event
    return PartBlock(
        writer=writer,
        start=start,
        rows=event.count,
        first_step=int(event.steps.min()),
        last_step=int(event.steps.max()),
        offset=block.offset,
        seq=event.seq,
        last_offset=block.offset,
        greatest_before=block.greatest_before,
    )


def _gathered(events: Sequence[LogEvent], starts: Sequence[int]) -> dict[ColumnId, ColumnValues]:
    pieces: dict[ColumnId, list[tuple[int, int, Column]]] = {}
    for event, start in zip(events, starts, strict=True):
        for column in event.columns:
            pieces.setdefault((column.path, column.type), []).append((start, event.count, column))
    total = sum(event.count for event in events)
    return {column: _column(found, total) for column, found in pieces.items()}


def _column(pieces: Sequence[tuple[int, int, Column]], total: int) -> ColumnValues:
    rows = None
    if any(column.rows is not None for _, _, column in pieces) or sum(count for _, count, _ in pieces) < total:
        rows = np.concatenate(
            [
                np.arange(start, start + count) if column.rows is None else column.rows.astype(np.int64) + start
                for start, count, column in pieces
            ]
        )
    columns = [column for _, _, column in pieces]
    values = None if columns[0].values is None else np.concatenate([column.values for column in columns])
    return ColumnValues(rows, values, [text for column in columns for text in column.texts])


def _merged(parts: Sequence[PartRows], bases: Sequence[int], place: Numbers) -> dict[ColumnId, ColumnValues]:
    pieces: dict[ColumnId, list[tuple[int, int, ColumnValues]]] = {}
    for part, base in zip(parts, bases, strict=True):
        for column, values in part.columns.items():
            pieces.setdefault(column, []).append((base, len(part), values))
    return {column: _moved(found, place) for column, found in pieces.items()}


def _moved(pieces: Sequence[tuple[int, int, ColumnValues]], place: Numbers) -> ColumnValues:
    """Join the values of a column, and order them by where their rows are in the new part."""
    rows = place[
        np.concatenate([base + (np.arange(size) if one.rows is None else one.rows) for base, size, one in pieces])
    ]
    order = np.argsort(rows, kind="stable")
    values = None
    if pieces[0][2].values is not None:
        values = np.concatenate([one.values for _, _, one in pieces])[order]
    texts = [text for _, _, one in pieces for text in one.texts]
    ordered = [texts[index] for index in order.tolist()] if texts else ()
    return ColumnValues(None if len(rows) == len(place) else rows[order], values, ordered)
