"""What to do with the messages of a batch, given the stored offset. Pure.

The stored ``next`` decides: after a rebalance, the messages that Kafka's client returns may begin anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runstream_consumers.runtime.progress.spans import Span


@dataclass(frozen=True, slots=True)
class Keep:
    """Apply the records from index ``start`` up to ``stop``; ``next`` follows the last of them."""

    start: int
    stop: int
    next: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Everything was stored before; continue at ``seek``, or at the client's position if it is None."""

    seek: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets from ``missing[0]`` up to ``missing[1]`` were not received: nothing after them may be stored."""

    missing: Span


def plan(next_offset: int, offsets: Sequence[int]) -> Keep | Drop | Gap:
    """Return what to do with a batch of one topic; ``offsets`` ascend and are not empty.

    Messages after a hole within the batch are not kept: the next batch begins with a gap.
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
