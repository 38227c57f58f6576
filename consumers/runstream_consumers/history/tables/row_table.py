"""Rows of a view as columns: their places, their marks, and their values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.blocks import Block
from runstream_schemas.events import Column, LogEvent
from runstream_schemas.rows import cut_columns, join_columns, take_columns

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


class Cursor(NamedTuple):
    """The position of a row among all rows of a view; a page begins after it."""

    step: int
    #: Position of its run among the runs of the view.
    rank: int
    offset: int
    order: int


class Source(NamedTuple):
    """Whose rows they are."""

    writer: bytes
    #: Position of its run among the runs of the view.
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowTable:
    """Rows in any order; arrays have one item per row."""

    steps: Numbers
    #: Microseconds since 1970.
    times: Numbers
    orders: Numbers
    offsets: Numbers
    #: Below its writer's greatest step before it, or at a step that another row already has.
    late: Mask
    hidden: Mask
    #: Number of the row's source among ``sources``.
    source: Numbers
    sources: Sequence[Source]
    columns: Sequence[Column]

    def __len__(self) -> int:
        return len(self.steps)

    @classmethod
    def of(cls, block: Block, event: LogEvent) -> Self:
        """Return the rows of a block with the columns that were decoded."""
        hidden_from = block.bounds.hidden_from
        count = len(event.steps)
        return cls(
            steps=event.steps,
            times=event.times,
            orders=event.orders,
            offsets=block.offsets(count),
            late=block.late(event),
            hidden=np.zeros(count, dtype=np.bool_) if hidden_from is None else event.steps >= hidden_from,
            source=np.zeros(count, dtype=np.int64),
            sources=[Source(block.writer, block.rank)],
            columns=event.columns,
        )

    @property
    def ranks(self) -> Numbers:
        """The rank of each row."""
        return np.array([source.rank for source in self.sources], dtype=np.int64)[self.source]

    def take(self, rows: Numbers) -> RowTable:
        """Return some rows, in the order that is given."""
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and bool((rows[1:] > rows[:-1]).all()):
            return self.cut(int(rows[0]), int(rows[-1]) + 1)
        return self._with(rows, take_columns(self.columns, rows, len(self)))

    def cut(self, start: int, stop: int) -> RowTable:
        """Return the rows between two rows."""
        if (start, stop) == (0, len(self)):
            return self
        return self._with(slice(start, stop), cut_columns(self.columns, start, stop))

    def marked(self, late: Mask) -> RowTable:
        """Return the rows with other marks."""
        return self._with(slice(None), self.columns, late=late)

    def ordered(self) -> Numbers | None:
        """Return the order of the rows by (step, rank, offset, order); None if they are in this order."""
        if bool((self.steps[1:] > self.steps[:-1]).all()):
            return None
        found: Numbers = np.lexsort((self.orders, self.offsets, self.ranks, self.steps))
        return None if bool((found[1:] > found[:-1]).all()) else found

    def cursor(self, row: int) -> Cursor:
        """Return the position of a row."""
        rank = self.sources[int(self.source[row])].rank
        return Cursor(int(self.steps[row]), rank, int(self.offsets[row]), int(self.orders[row]))

    def first_at_step(self) -> Mask:
        """Return for each row, if they are in order, whether it is the first one at its step that is not hidden."""
        if not self.hidden.any():
            first = np.ones(len(self), dtype=np.bool_)
            np.not_equal(self.steps[1:], self.steps[:-1], out=first[1:])
            return first
        shown = np.flatnonzero(~self.hidden)
        steps = self.steps[shown]
        first = np.zeros(len(self), dtype=np.bool_)
        if len(shown):
            first[shown[np.concatenate(([True], steps[1:] != steps[:-1]))]] = True
        return first

    def _with(self, rows: slice | Numbers, columns: Sequence[Column], **others: Any) -> RowTable:
        arrays = {one.name: getattr(self, one.name)[rows] for one in fields(self) if one.name not in _WHOLE}
        return RowTable(**{**arrays, "sources": self.sources, "columns": columns, **others})


#: What is not one item per row.
_WHOLE = ("sources", "columns")


def join(tables: Sequence[RowTable]) -> RowTable:
    """Return the rows of at least one table as one."""
    if len(tables) == 1:
        return tables[0]
    numbers: dict[Source, int] = {}
    source = [
        np.array([numbers.setdefault(one, len(numbers)) for one in table.sources], dtype=np.int64)[table.source]
        for table in tables
    ]
    arrays = {
        one.name: np.concatenate([getattr(table, one.name) for table in tables])
        for one in fields(RowTable)
        if one.name not in (*_WHOLE, "source")
    }
    columns = join_columns([(table.columns, len(table)) for table in tables])
    return RowTable(**arrays, source=np.concatenate(source), sources=list(numbers), columns=columns)
