"""Pages of rows by (step, rank, offset, order), from blocks that may overlap. Pure.

Blocks are added by their first step. A page is full when no later block can hold a row that belongs in it. Memory is
bounded by the page, what was examined for it since the rows were last sorted, and one block, whatever the overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.blocks import Block
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.tables.row_table import Cursor, RowTable, join
from runstream_schemas.rows import rows_with_values, unpack_columns

GREATEST = 2**63 - 1

#: Rows that are collected before those that are not needed are removed.
_HELD_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One logged row, as it was logged."""

    step: int
    #: The writer's clock, microseconds since 1970.
    time: int
    #: Order of the append at its writer.
    order: int
    #: Offset of its block in the partition.
    offset: int
    writer: bytes
    #: Below its writer's greatest step before it, or at a step that another row already has.
    late: bool
    values: dict[str, Any]
    #: Not part of the default view: replaced by a writer that continues this one, or by a rewind.
    hidden: bool = False
    #: Position of its run among the runs of the view; rows of ancestors come first.
    rank: int = 0

    @property
    def cursor(self) -> Cursor:
        """Its position among all rows of the view."""
        return Cursor(self.step, self.rank, self.offset, self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows, and the cursor of the next page, or None if there is none."""

    table: RowTable | None
    next: Cursor | None

    @property
    def rows(self) -> list[HistoryRow]:
        """The rows one by one."""
        return rows_of(self.table)


def rows_of(table: RowTable | None) -> list[HistoryRow]:
    """Return the rows of a table one by one."""
    if table is None:
        return []
    arrays = (table.steps, table.times, table.orders, table.offsets, table.source, table.late, table.hidden)
    lists = [array.tolist() for array in arrays]
    return [
        HistoryRow(
            step=step,
            time=time,
            order=order,
            offset=offset,
            writer=table.sources[source].writer,
            late=late,
            values=values,
            hidden=hidden,
            rank=table.sources[source].rank,
        )
        for step, time, order, offset, source, late, hidden, values in zip(
            *lists, unpack_columns(table.columns, len(table)), strict=True
        )
    ]


class PageBuilder:
    """Collects the rows of one page from blocks that are added by their first step.

    Args:
        selection: The columns that are wanted.
        limit: Maximum number of rows of the page.
        first_step: The first step.
        last_step: The last step, inclusive.
        after: Cursor of the last row of the previous page.
        budget: Number of rows to examine before a page may be short.
        values: Number of values after which a page may be short.
        late: Whether to include late rows.
        hidden: Whether to include rows that the default view hides.
    """

    def __init__(
        self,
        selection: Selection,
        *,
        limit: int,
        first_step: int,
        last_step: int,
        after: Cursor | None,
        budget: int,
        values: int = GREATEST,
        late: bool = True,
        hidden: bool = False,
    ) -> None:
        self._selection = selection
        self._limit = limit
        self._last_step = last_step
        self._budget = budget
        self._values = values
        self._late = late
        self._hidden = hidden
        self._begin = after or Cursor(first_step, -1, -1, -1)
        self._first_step = max(first_step, self._begin.step)
        self._rows = HeldRows()
        #: The place of the first row at the step of the cursor, which is the only one that is not late.
        self._first_at_begin: tuple[int, int, int] | None = None
        self._cut_off: Cursor | None = None

    def extend(self, blocks: Sequence[Block]) -> bool:
        """Add blocks until the page is complete; return whether it is."""
        for block in blocks:
            if self.is_complete(block):
                return True
            self.add(block)
        return False

    def is_complete(self, block: Block) -> bool:
        """Return whether the page is complete without this block and those after it."""
        if (bound := self._rows.bound) is not None:
            return block.first_step > bound.step
        if self._budget <= 0 and block.first_step > self._begin.step + 1:
            # Too many rows without the wanted columns: return a short page rather than take ever longer.
            self._cut_off = Cursor(block.first_step - 1, GREATEST, GREATEST, GREATEST)
            return True
        return False

    def add(self, block: Block) -> None:
        """Add the rows of a block."""
        if not (block.is_shown or self._hidden) or self._is_elsewhere(block):
            return
        event = block.payload.decode(self._selection)
        self._budget -= event.count
        self._values -= sum(len(event.steps) if one.rows is None else len(one.rows) for one in event.columns)
        last = self._last_step if self._rows.bound is None else min(self._last_step, self._rows.bound.step)
        if block.bounds.ends_before is not None:
            last = min(last, block.bounds.ends_before - 1)
        table = RowTable.of(block, event)
        fits = (table.steps >= self._first_step) & (table.steps <= last)
        if not self._hidden:
            fits &= ~table.hidden
        if not fits.any():
            return
        table = table if fits.all() else table.take(np.flatnonzero(fits))
        self._rows.add(table, self._wanted(table, block), self._limit)
        if self._values <= 0:
            self._limit = max(1, min(self._limit, self._rows.wanted))
            self._values = GREATEST

    def page(self) -> Page:
        """Return the page, after it is complete or all blocks were added."""
        found = self._rows.settled(self._limit)
        if found is None:
            return Page(table=None, next=self._cut_off)
        table, wanted = found
        following = self._cut_off
        if following is not None:
            wanted = wanted & (table.steps <= following.step)
        elif self._rows.bound is not None:
            # The last row is one more than the page holds.
            wanted = wanted.copy()
            wanted[-1] = False
            following = table.cursor(int(np.flatnonzero(wanted)[-1]))
        if not self._late:
            wanted = wanted & ~table.late
        return Page(table=table if wanted.all() else table.take(np.flatnonzero(wanted)), next=following)

    def _wanted(self, table: RowTable, block: Block) -> NDArray[np.bool_]:
        """Return which rows belong on this page; others mark those after them at their step as late."""
        wanted = np.ones(len(table), dtype=np.bool_)
        if self._selection.keys is not None:
            wanted = rows_with_values(table.columns, len(table))
        if block.first_step <= self._begin.step:
            at_begin = np.flatnonzero(table.steps == self._begin.step)
            for row in at_begin.tolist():
                place = table.cursor(row)
                wanted[row] &= place > self._begin
                if not table.hidden[row] and place[1:] < (self._first_at_begin or (GREATEST,)):
                    self._first_at_begin = place[1:]
        return wanted

    def _is_elsewhere(self, block: Block) -> bool:
        """Return whether all rows of a block belong to other pages, by its steps and its place.

        Without this, each page of rows at one step would decode all of them.
        """
        place = (block.rank, block.offset)
        if (bound := self._rows.bound) is not None and block.first_step == bound.step:
            return place > bound[1:3]
        final = (block.rank, block.final_offset)
        is_before = block.first_step == block.last_step == self._begin.step and final < self._begin[1:3]
        return is_before and not self._hidden and (*place, -1) > (self._first_at_begin or place)


class HeldRows:
    """The least rows of a view that were added so far, by their place: those that are wanted, and what marks them.

    Of rows that are not wanted, the first at a step is held: all others at the step are late.
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[RowTable, NDArray[np.bool_]]] = []
        #: Rows in order, of which at most one wanted row is more than the page holds; the rest is in pieces.
        self._settled = 0
        self._waiting = 0
        #: The limit with which they were put in order.
        self._limit = -1
        #: Wanted rows in pieces, and those of them that are in order.
        self.wanted = 0
        self._wanted_settled = 0
        #: The place of the wanted row that is one more than the page holds. It may only get less.
        self.bound: Cursor | None = None

    def add(self, table: RowTable, wanted: NDArray[np.bool_], limit: int) -> None:
        """Add rows, and remove those that are not needed for a page of ``limit`` rows, from time to time."""
        self._pieces.append((table, wanted))
        self._waiting += len(table)
        self.wanted += int(np.count_nonzero(wanted))
        is_over = self.wanted > limit
        is_due = is_over and (self.bound is None or self.wanted - self._wanted_settled > limit // 4)
        if is_due or self._waiting > _HELD_ROWS + limit + self._settled // 2:
            self.settled(limit)

    def settled(self, limit: int) -> tuple[RowTable, NDArray[np.bool_]] | None:
        """Return the rows in order, with those that are late marked, and which of them are wanted; None for none."""
        if not self._pieces:
            return None
        if not self._waiting and self._limit == limit:
            return self._pieces[0]
        table = join([one for one, _ in self._pieces])
        wanted = np.concatenate([one for _, one in self._pieces])
        if (order := table.ordered()) is not None:
            table, wanted = table.take(order), wanted[order]
        first = table.first_at_step()
        kept = wanted | first
        over = np.flatnonzero(wanted)[limit : limit + 1]
        if len(over):
            self.bound = table.cursor(int(over[0]))
            kept[int(over[0]) + 1 :] = False
        table = table.marked(table.late | ~(first | table.hidden))
        if not kept.all():
            table, wanted = table.take(np.flatnonzero(kept)), wanted[kept]
        self._pieces = [(table, wanted)]
        self._settled, self._waiting, self._limit = len(table), 0, limit
        self.wanted = self._wanted_settled = int(np.count_nonzero(wanted))
        return table, wanted
