"""Stored blocks of rows as readers process them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.model import late_rows
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.view import EVERYTHING, Bounds
from runstream_schemas.events import LogEvent


class Payload(Protocol):
    """The rows of a block in the form in which they are stored."""

    @property
    def size(self) -> int:
        """Number of stored bytes."""

    def decode(self, selection: Selection) -> LogEvent:
        """Return the rows with the selected columns only."""


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


@dataclass(frozen=True, slots=True)
class Block:
    """A stored block and its place in a view."""

    writer: bytes
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
