"""Late rows: a row that is out of order is kept and marked. Pure.

A row is late if it is below the greatest step that its writer had logged before it, or if another row already has its
step. The first is known when a block arrives and is stored with it; the second is known when rows are read in order.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from runstream_schemas.events import LogEvent

#: Less than or equal to every step.
NO_STEP = -(2**63)
#: The greatest number that the table can hold; the distance between two steps can be greater.
_WIDEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WriterSteps:
    """The steps that a writer has logged to one stream."""

    #: The greatest step.
    greatest: int = NO_STEP
    #: The greatest distance between two steps of one of its blocks, as far as the table can hold it.
    widest: int = 0
    rows: int = 0
    #: Rows below the greatest step before them.
    late: int = 0
    #: Its first row: seq, step, and append time at the broker.
    first_seq: int = 2**63 - 1
    first_step: int = 0
    began: int = 0

    def columns(self) -> tuple[int, ...]:
        """Return the values in the order of the table's columns."""
        return astuple(self)


@dataclass(frozen=True, slots=True)
class BlockSteps:
    """The steps of one block."""

    least: int
    greatest: int
    late: int


def measure(event: LogEvent, before: WriterSteps, append_time: int = 0) -> tuple[BlockSteps, WriterSteps]:
    """Return the steps of a block with at least one row, and the steps of its writer including the block."""
    steps = event.steps
    is_first = event.seq < before.first_seq
    first, last = int(steps[0]), int(steps[-1])
    if first >= max(before.greatest, 0) and bool((steps[1:] >= steps[:-1]).all()):
        block = BlockSteps(first, last, 0)
    else:
        late = int(np.count_nonzero(late_rows(steps, before.greatest)))
        block = BlockSteps(int(steps.min()), int(steps.max()), late)
    after = WriterSteps(
        greatest=max(before.greatest, block.greatest),
        widest=min(max(before.widest, block.greatest - block.least), _WIDEST),
        rows=before.rows + event.count,
        late=before.late + block.late,
        first_seq=event.seq if is_first else before.first_seq,
        first_step=first if is_first else before.first_step,
        began=append_time if is_first else before.began,
    )
    return block, after


def late_rows(steps: NDArray[np.int64], greatest: int) -> NDArray[np.bool_]:
    """Return for each row of a block whether it is below the greatest step before it, starting with ``greatest``.

    Writers count from 0, so a negative step is always below.
    """
    reached = np.maximum.accumulate(np.concatenate((np.array([max(greatest, 0)], dtype=np.int64), steps)))
    late: NDArray[np.bool_] = steps < reached[:-1]
    return late
