"""Which rows of parts form the beginning of a view without being put in order. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from runstream_consumers.archive.stored_blocks import ArchivedRows
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.tables.row_table import Cursor, Source

if TYPE_CHECKING:
    from runstream_consumers.archive.part import OpenPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Rows of one writer that follow each other in a part, by ascending steps unless reading them shows otherwise."""

    part: OpenPart
    source: Source
    #: The first row in the part, and the one after the last.
    start: int
    stop: int
    #: The steps of these rows, inclusive.
    first_step: int
    last_step: int
    #: Those of the rows that are wanted, inclusive.
    first: int
    last: int

    @property
    def is_dense(self) -> bool:
        """Whether each row is one step after the row before it."""
        return self.part.index.is_ascending and self.last_step - self.first_step == self.stop - self.start - 1

    def joined(self, following: Stretch) -> Stretch | None:
        """Return this stretch with one that follows it in the view; None if it does not in the part."""
        is_next = following.part is self.part and following.source == self.source and following.start == self.stop
        if not is_next or self.last < self.last_step or following.first > following.first_step:
            return None
        both = replace(self, stop=following.stop, last_step=following.last_step, last=following.last)
        return both if self.is_dense == following.is_dense == both.is_dense else None

    @property
    def wanted(self) -> Stretch:
        """The stretch without rows at its ends that are not wanted, as far as their steps are known."""
        if not self.is_dense:
            return self
        return self.cut(
            self.start + max(0, self.first - self.first_step), self.stop - max(0, self.last_step - self.last)
        )

    def divided(self, rows: int) -> tuple[Stretch, Stretch | None]:
        """Return about so many rows, up to the end of a row group if possible, and the others, None for none.

        No row of one has the step of a row of the other.
        """
        group = self.part.index.group_rows
        end = min(self.stop, self.start + rows)
        if end < self.stop and (aligned := end // group * group) > self.start:
            end = aligned
        if end < self.stop and not self.part.index.is_ascending:
            end = self._edge(end)
        return self.cut(self.start, end), self.cut(end, self.stop) if end < self.stop else None

    def _edge(self, row: int) -> int:
        """Return where a block begins: at or before a row, but not before the first block is complete."""
        starts = self.part.index.blocks.start
        number = np.searchsorted(starts, row, side="right") - 1
        if starts[number] <= self.start:
            number += 1
        return min(self.stop, int(starts[number])) if number < len(starts) else self.stop

    def cut(self, start: int, stop: int) -> Stretch:
        """Return some of the rows; the steps of others than dense ones are not known."""
        if not self.is_dense:
            return replace(self, start=start, stop=stop)
        first = self.first_step + start - self.start
        return replace(self, start=start, stop=stop, first_step=first, last_step=first + stop - start - 1)


@dataclass(slots=True, kw_only=True)
class StretchBuilder:
    """Collects the rows at the beginning of a view from blocks that are added by their first step.

    It stops at the first block that is not archived, that may have late rows, or that overlaps another one.

    Args:
        first: The first step.
        last: The last step, inclusive.
        after: The cursor after which rows are wanted.
        rows: The number of rows that are enough.
    """

    first: int
    last: int
    after: Cursor | None
    rows: int
    #: The last step up to which rows were collected if there may be others; None if there are none.
    end: int | None = None
    _found: list[Stretch] = field(default_factory=list)
    #: The last step of the blocks that were added.
    _reached: int = NO_STEP

    def extend(self, blocks: Iterable[Block]) -> bool:
        """Add blocks; return whether no more are to be added."""
        return any(self._add(block) for block in blocks)

    def stretches(self) -> list[Stretch]:
        """Return what was collected, joined where it is joined in the part."""
        joined: list[Stretch] = []
        for one in self._found:
            if joined and (both := joined[-1].joined(one)) is not None:
                joined[-1] = both
            else:
                joined.append(one)
        return [one.wanted for one in joined]

    def _add(self, block: Block) -> bool:
        ends = [step - 1 for step in (block.bounds.ends_before, block.bounds.hidden_from) if step is not None]
        shown = min([block.last_step, *ends])
        if block.first_step > shown:
            return False
        if block.first_step <= self._reached:
            overlapped = self._found.pop() if self._found and self._found[-1].last >= block.first_step else None
            self.end = (block.first_step if overlapped is None else overlapped.first) - 1
            return True
        if self.rows <= 0 or not _is_plain(block):
            self.end = block.first_step - 1
            return True
        self._reached = shown
        first, last = max(self._first_of(block), block.first_step), min(shown, self.last)
        if first <= last:
            self._found.append(_stretch(block, first, last))
            self.rows -= self._found[-1].stop - self._found[-1].start
        return False

    def _first_of(self, block: Block) -> int:
        """Return the first step of the rows of a block that come after the cursor; one row at most is at a step."""
        if self.after is None:
            return self.first
        is_before = (block.rank, block.offset) <= self.after[1:3]
        return max(self.first, self.after.step + is_before)


def _is_plain(block: Block) -> bool:
    """Return whether the steps of a block may ascend, and none of its rows is late."""
    if not isinstance(block.payload, ArchivedRows):
        return False
    is_after = block.first_step >= max(block.greatest_before, 0)
    return is_after and block.payload.block.rows <= block.payload.block.last_step - block.first_step + 1


def _stretch(block: Block, first: int, last: int) -> Stretch:
    payload = block.payload
    assert isinstance(payload, ArchivedRows)  # noqa: S101 - see _is_plain()
    rows = payload.block
    return Stretch(
        part=payload.part,
        source=Source(block.writer, block.rank),
        start=rows.start,
        stop=rows.start + rows.rows,
        first_step=rows.first_step,
        last_step=rows.last_step,
        first=first,
        last=last,
    )
