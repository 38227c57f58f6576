"""Stored blocks as a reader gets them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream_consumers.history.model import NO_STEP, late_rows
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
    """A stored block; ``least`` is its least step, ``greatest`` its writer's greatest step before it."""

    writer: bytes
    offset: int
    least: int
    greatest: int
    message: bytes

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Block:
        """Return the block in a row of the table."""
        greatest = NO_STEP if row["greatest"] is None else row["greatest"]
        return cls(row["writer"].bytes, row["offset"], row["min_step"], greatest, row["message"])

    def event(self) -> LogEvent:
        """Return the rows of the block."""
        event = decode(Topic.LOG, self.message)
        if not isinstance(event, LogEvent):
            raise MalformedEvent(f"a block that holds a {type(event).__name__}")
        return event

    def late(self, event: LogEvent) -> NDArray[np.bool_]:
        """Tell for each row whether it lies below its writer's greatest step before it."""
        return late_rows(event.steps, self.greatest)
