"""Stored blocks as a reader gets them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream_consumers.history.model import NO_STEP, late_rows
from runstream_consumers.history.view import EVERYTHING, Bounds
from runstream_schemas.codec import decode
from runstream_schemas.events import LogEvent
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """A stored block; ``least`` is its least step, ``greatest`` its writer's greatest step before it.

    ``rank`` and ``bounds`` say what it is in a view: the place of its run among the runs that the rows come from, and
    which of its rows are shown.
    """

    writer: bytes
    offset: int
    least: int
    greatest: int
    message: bytes
    rank: int = 0
    bounds: Bounds = EVERYTHING

    @classmethod
    def of(cls, row: Mapping[str, Any], rank: int = 0, bounds: Bounds = EVERYTHING) -> Block:
        """Return the block in a row of the table."""
        greatest = NO_STEP if row["greatest"] is None else row["greatest"]
        return cls(row["writer"].bytes, row["offset"], row["min_step"], greatest, row["message"], rank, bounds)

    @property
    def is_shown(self) -> bool:
        """Whether any of its rows can be shown."""
        return all(step is None or self.least < step for step in (self.bounds.ends_before, self.bounds.hidden_from))

    def event(self) -> LogEvent:
        """Return the rows of the block."""
        event = decode(Topic.LOG, self.message)
        if not isinstance(event, LogEvent):
            raise MalformedEvent(f"a block that holds a {type(event).__name__}")
        return event

    def late(self, event: LogEvent) -> NDArray[np.bool_]:
        """Tell for each row whether it lies below its writer's greatest step before it."""
        return late_rows(event.steps, self.greatest)

    def shown(self, steps: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Tell for each row whether the view shows it; None: all of them."""
        limits = [step for step in (self.bounds.ends_before, self.bounds.hidden_from) if step is not None]
        if not limits:
            return None
        mask: NDArray[np.bool_] = steps < min(limits)
        return None if mask.all() else mask
