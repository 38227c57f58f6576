"""Stored blocks of rows as readers process them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.model import late_rows
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.view import EVERYTHING, Bounds
from runstream_schemas.events import LogEvent
from runstream_schemas.rows import cut


class Payload(Protocol):
    """The rows of a block in the form in which they are stored."""

    @property
    def size(self) -> int:
        """Number of stored bytes."""

    def decode(self, selection: Selection) -> LogEvent:
        """Return the rows with the selected columns only."""

    def offsets(self) -> NDArray[np.int64] | None:
        """Return the offset of each row; None if all rows have that of the block."""


@dataclass(frozen=True, slots=True)
class Message:
    """A block that is stored as the Kafka message that carried it."""

    message: bytes

    @property
    def size(self) -> int:
        """Number of stored bytes."""
        return len(self.message)

    def decode(self, selection: Selection) -> LogEvent:
        """Return the rows with the selected columns only."""
        return selection.read(self.message)

    def offsets(self) -> None:
        """Return None: all rows have the offset of the block."""


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """The rows of a block whose offsets are in a range, the end exclusive."""

    payload: Payload
    first: int
    end: int

    @property
    def size(self) -> int:
        """Number of stored bytes of the block."""
        return self.payload.size

    def decode(self, selection: Selection) -> LogEvent:
        """Return the rows with the selected columns only."""
        event, (start, stop) = self.payload.decode(selection), self._rows()
        return cut(event, start, stop)

    def offsets(self) -> NDArray[np.int64] | None:
        """Return the offset of each row."""
        found, (start, stop) = self.payload.offsets(), self._rows()
        return None if found is None else found[start:stop]

    def _rows(self) -> tuple[int, int]:
        found = self.payload.offsets()
        if found is None:
            raise ValueError("A block of one message cannot be divided by offset")
        start, stop = np.searchsorted(found, (self.first, self.end))
        return int(start), int(stop)


@dataclass(frozen=True, slots=True)
class Block:
    """A stored block and its place in a view."""

    writer: bytes
    #: Offset and sequence number of its first row.
    offset: int
    seq: int
    #: Least and greatest step of its rows.
    first_step: int
    last_step: int
    #: Greatest step that the writer logged before this block.
    greatest_before: int
    payload: Payload
    #: Position of the block's run among the runs of the view, oldest ancestor first.
    rank: int = 0
    #: Which of its rows the view shows.
    bounds: Bounds = EVERYTHING
    #: Offset of its last row, if that is another one: a block of the archive can have rows of several messages.
    last_offset: int | None = None

    def divided(self, offsets: Sequence[int]) -> list[Block]:
        """Return the block as blocks of which each has the rows before the next of some offsets, ascending."""
        edges = [self.offset, *offsets, self.final_offset + 1]
        return [
            replace(self, offset=first, last_offset=end - 1, payload=OffsetRange(self.payload, first, end))
            for first, end in pairwise(edges)
        ]

    @property
    def final_offset(self) -> int:
        """The offset of its last row."""
        return self.offset if self.last_offset is None else self.last_offset

    def offsets(self, count: int) -> NDArray[np.int64]:
        """Return the offset of each of its ``count`` rows."""
        found = self.payload.offsets()
        return np.full(count, self.offset, dtype=np.int64) if found is None else found

    @property
    def is_shown(self) -> bool:
        """Whether the view can show any of its rows."""
        return all(
            step is None or self.first_step < step for step in (self.bounds.ends_before, self.bounds.hidden_from)
        )

    def late(self, event: LogEvent) -> NDArray[np.bool_]:
        """Return for each row whether it is below the writer's greatest step before it."""
        return late_rows(event.steps, self.greatest_before)

    def shown(self, steps: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return for each row whether the view shows it, or None if it shows all."""
        limits = [step for step in (self.bounds.ends_before, self.bounds.hidden_from) if step is not None]
        if not limits:
            return None
        mask: NDArray[np.bool_] = steps < min(limits)
        return None if mask.all() else mask
