"""Pages of rows by (step, rank, offset, order), or the rows at some places, from blocks that may overlap. Pure.

Blocks are added by their first step. A page is full when no later block can hold a row that belongs in it; memory is
bounded by the page and one block, whatever the overlap.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from runstream_consumers.history.blocks import Block
from runstream_consumers.history.sampling import Place
from runstream_consumers.history.selection import Selection
from runstream_schemas.events import LogEvent
from runstream_schemas.rows import cut, unpack_rows

GREATEST = 2**63 - 1

#: The least number of steps whose first rows are remembered.
_REMEMBERED_STEPS = 10_000


class Cursor(NamedTuple):
    """The position of a row among all rows of a view; a page begins after it."""

    step: int
    #: Position of its run among the runs of the view.
    rank: int
    offset: int
    order: int


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

    rows: list[HistoryRow]
    next: Cursor | None


@dataclass(slots=True)
class PageBuilder:
    """Collects the rows of one page from blocks that are added by their first step."""

    #: The columns that are wanted.
    selection: Selection
    #: Maximum number of rows of the page.
    limit: int
    #: First and last step, both inclusive.
    first_step: int
    last_step: int
    #: Cursor of the last row of the previous page.
    after: Cursor | None
    #: Number of rows to examine before a page may be short.
    budget: int
    #: Whether to include late rows, and rows that the default view hides.
    late: bool = True
    hidden: bool = False
    _begin: Cursor = field(init=False)
    #: The least rows so far, one more than the page holds; the greatest on top.
    _heap: list[tuple[int, int, int, int, HistoryRow]] = field(default_factory=list, init=False)
    #: The first row at each step, which is the only one that is not late.
    _first: dict[int, tuple[int, int, int]] = field(default_factory=dict, init=False)
    _cut_off: Cursor | None = field(default=None, init=False)
    #: Number of steps whose first rows are remembered before those no longer needed are removed.
    _remembered: int = field(default=_REMEMBERED_STEPS, init=False)

    def __post_init__(self) -> None:
        self._begin = self.after or Cursor(self.first_step, -1, -1, -1)

    def extend(self, blocks: Sequence[Block]) -> bool:
        """Add blocks until the page is complete; return whether it is."""
        for block in blocks:
            if self.is_complete(block):
                return True
            self.add(block)
        return False

    def is_complete(self, block: Block) -> bool:
        """Return whether the page is complete without this block and those after it."""
        if len(self._heap) > self.limit:
            return block.first_step > -self._heap[0][0]
        if self.budget <= 0 and block.first_step > self._begin.step + 1:
            # Too many rows without the wanted columns: return a short page rather than take ever longer.
            self._cut_off = Cursor(block.first_step - 1, GREATEST, GREATEST, GREATEST)
            return True
        return False

    def add(self, block: Block) -> None:
        """Add the rows of a block."""
        if not (block.is_shown or self.hidden) or self._is_elsewhere(block):
            return
        event = block.payload.decode(self.selection)
        self.budget -= event.count
        self._forget(block.first_step)
        first, last = self.first_step, self.last_step
        if len(self._heap) > self.limit:
            last = min(last, -self._heap[0][0])
        if block.bounds.ends_before is not None:
            last = min(last, block.bounds.ends_before - 1)
        wanted = np.flatnonzero((event.steps >= first) & (event.steps <= last))
        if not len(wanted):
            return
        late, offsets = block.late(event), block.offsets(event.count)
        # Only what can be in the page is assembled: blocks may have many more rows.
        for piece in np.split(wanted, range(self.limit + 1, len(wanted), self.limit + 1)):
            if self._beyond(int(event.steps[piece].min())):
                continue
            start, stop = int(piece[0]), int(piece[-1]) + 1
            rows = (piece - start).tolist()
            values = (late[start:stop].tolist(), offsets[start:stop].tolist())
            self._add_rows(block, cut(event, start, stop), *values, rows)

    def _add_rows(
        self, block: Block, event: LogEvent, late: Sequence[bool], offsets: Sequence[int], wanted: Iterable[int]
    ) -> None:
        steps, orders, times = event.steps.tolist(), event.orders.tolist(), event.times.tolist()
        values = unpack_rows(event)
        hidden_from = block.bounds.hidden_from
        for index in wanted:
            step = steps[index]
            if self._beyond(step):
                continue
            hidden = hidden_from is not None and step >= hidden_from
            if not self._is_wanted(step, (block.rank, offsets[index], orders[index]), hidden=hidden):
                continue
            if not values[index] and self.selection.keys is not None:
                continue
            self._offer(
                HistoryRow(
                    step=step,
                    time=times[index],
                    order=orders[index],
                    offset=offsets[index],
                    writer=block.writer,
                    late=late[index],
                    values=values[index],
                    hidden=hidden,
                    rank=block.rank,
                )
            )

    def page(self) -> Page:
        """Return the page, after it is complete or all blocks were added."""
        rows = [entry[-1] for entry in sorted(self._heap, key=lambda entry: entry[:-1], reverse=True)]
        following = self._cut_off
        if following is not None:
            rows = [row for row in rows if row.step <= following.step]
        elif len(rows) > self.limit:
            rows.pop()
            following = rows[-1].cursor
        marked = [self._marked(row) for row in rows]
        return Page(rows=[row for row in marked if self.late or not row.late], next=following)

    def _is_wanted(self, step: int, place: tuple[int, int, int], *, hidden: bool) -> bool:
        """Return whether a row belongs on this page, regardless of keys; record it if it is the first at its step."""
        if hidden and not self.hidden:
            return False
        if not hidden and place < self._first.setdefault(step, place):
            self._first[step] = place
        return (step, *place) > self._begin

    def _is_elsewhere(self, block: Block) -> bool:
        """Return whether all rows of a block belong to other pages, by its steps and its place.

        Without this, each page of rows at one step would decode all of them.
        """
        place = (block.rank, block.offset)
        if len(self._heap) > self.limit and block.first_step == -self._heap[0][0]:
            return place > (-self._heap[0][1], -self._heap[0][2])
        final = (block.rank, block.final_offset)
        is_before = block.first_step == block.last_step == self._begin.step and final < self._begin[1:3]
        return is_before and not self.hidden and (*place, -1) > self._first.get(self._begin.step, (*place, 0))

    def _beyond(self, step: int) -> bool:
        """Return whether the page is full with rows at lower steps."""
        return len(self._heap) > self.limit and step > -self._heap[0][0]

    def _offer(self, row: HistoryRow) -> None:
        entry = (-row.step, -row.rank, -row.offset, -row.order, row)
        if len(self._heap) <= self.limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def _marked(self, row: HistoryRow) -> HistoryRow:
        taken = not row.hidden and self._first[row.step] != (row.rank, row.offset, row.order)
        return replace(row, late=True) if taken and not row.late else row

    def _forget(self, least: int) -> None:
        """Remove the first rows of steps below ``least`` that are not in the page."""
        if len(self._first) > self._remembered + 2 * len(self._heap):
            needed = {-entry[0] for entry in self._heap}
            self._first = {step: place for step, place in self._first.items() if step >= least or step in needed}
            # Not again before it has doubled: all of them may still be needed.
            self._remembered = max(_REMEMBERED_STEPS, 2 * len(self._first))


class RowPicker:
    """Collects the rows at some places from the blocks of a view."""

    def __init__(self, selection: Selection, places: Iterable[Place], *, late: bool) -> None:
        self._selection = selection
        #: Several rows have one place if they were logged in the same microsecond.
        self._found: dict[Place, list[HistoryRow]] = {place: [] for place in places}
        self._steps = np.array(sorted({place.step for place in self._found}), dtype=np.int64)
        self._late = late
        #: The first row at each step, which is the only one that is not late.
        self._first: dict[int, Cursor] = {}

    def extend(self, blocks: Iterable[Block]) -> None:
        """Add the rows of blocks."""
        for block in blocks:
            first = np.searchsorted(self._steps, block.first_step, "left")
            if block.is_shown and first < np.searchsorted(self._steps, block.last_step, "right"):
                self._add(block, block.payload.decode(self._selection))

    def rows(self, limit: int) -> list[HistoryRow]:
        """Return at most ``limit`` rows by step, after all blocks were added: one at each place, and then others."""
        marked = [[self._marked(row) for row in rows] for rows in self._found.values()]
        wanted = [[row for row in rows if self._late or not row.late] for rows in marked]
        found = [row for rows in wanted for row in rows[:1]] + [row for rows in wanted for row in rows[1:]]
        return sorted(found[:limit], key=lambda row: row.cursor)

    def _add(self, block: Block, event: LogEvent) -> None:
        late, offsets = block.late(event), block.offsets(event.count)
        wanted = np.isin(event.steps, self._steps)
        if (shown := block.shown(event.steps)) is not None:
            wanted &= shown
        for index in np.flatnonzero(wanted).tolist():
            place = Place(int(event.steps[index]), int(event.times[index]), block.writer)
            cursor = Cursor(place.step, block.rank, int(offsets[index]), int(event.orders[index]))
            self._first[place.step] = min(self._first.get(place.step, cursor), cursor)
            if (rows := self._found.get(place)) is not None:
                rows.append(
                    HistoryRow(
                        step=place.step,
                        time=place.time,
                        order=cursor.order,
                        offset=cursor.offset,
                        writer=block.writer,
                        late=bool(late[index]),
                        values=unpack_rows(cut(event, index, index + 1))[0],
                        rank=block.rank,
                    )
                )

    def _marked(self, row: HistoryRow) -> HistoryRow:
        return row if row.late or self._first[row.step] == row.cursor else replace(row, late=True)
