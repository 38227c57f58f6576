"""What to do with the offsets of a batch, given how far the sink has come. Pure.

The stored ``next`` is the arbiter: what Kafka's client hands out after a rebalance may begin anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.runtime.progress.spans import Span


@dataclass(frozen=True, slots=True)
class Keep:
    """Apply the records from index ``start`` up to ``stop``; ``next`` follows the last of them."""

    start: int
    stop: int
    next: int


@dataclass(frozen=True, slots=True)
class Drop:
    """All of it was stored before; read on at ``seek``, or where the client stands when that is None."""

    seek: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Records from ``missing[0]`` up to ``missing[1]`` did not come: nothing may be stored behind them."""

    missing: Span


def plan(next_offset: int, offsets: Sequence[int]) -> Keep | Drop | Gap:
    """Decide on a batch of one topic; ``offsets`` ascend and are not empty.

    A hole within the batch ends what is kept: the next batch begins with it as a gap.
    """
    if offsets[-1] < next_offset:
        return Drop(next_offset if next_offset > offsets[-1] + 1 else None)
    start = 0
    if offsets[0] < next_offset:
        start = next(index for index, offset in enumerate(offsets) if offset >= next_offset)
    if offsets[start] > next_offset:
        return Gap((next_offset, offsets[start]))
    stop = len(offsets)
    if offsets[-1] - offsets[start] != stop - 1 - start:
        stop = next(index for index in range(start + 1, stop) if offsets[index] != offsets[index - 1] + 1)
    return Keep(start, stop, offsets[stop - 1] + 1)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin reading a partition, and what was deleted before it could be read."""

    position: int
    lost: Span | None = None


def find_start(next_offset: int | None, log_start: int, log_end: int) -> Start | None:
    """Return where to begin, or None where the log ends before what was stored from it: it was made anew.

    A sink without a position begins at the start of the log; what had been deleted before it existed is no loss.
    """
    if next_offset is None:
        return Start(log_start)
    if next_offset > log_end:
        return None
    if next_offset < log_start:
        return Start(log_start, (next_offset, log_start))
    return Start(next_offset)
