"""Which rows of a run are wanted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import GREATEST
from runstream_schemas.events import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Which rows are wanted."""

    stream: Stream = Stream.HISTORY
    #: Only the values of these keys, and only rows that have at least one of them. A key is the path of a column
    #: joined by dots, or of a dict, which selects everything in it. None selects all values of all rows.
    keys: Sequence[str] | None = None
    #: First step, inclusive.
    min_step: int | None = None
    #: End of the range of steps, exclusive.
    max_step: int | None = None
    #: Whether to include rows below their writer's greatest step, and rows at a step that another row has.
    late: bool = True

    @property
    def first(self) -> int:
        """The first step."""
        return NO_STEP if self.min_step is None else self.min_step

    @property
    def last(self) -> int:
        """The last step, inclusive."""
        return GREATEST if self.max_step is None else max(self.max_step - 1, NO_STEP)
