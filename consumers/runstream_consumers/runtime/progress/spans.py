"""Which records of a writer were applied, and which part of a block is new. Pure.

After a crash of the shipper the same records may arrive again in other blocks, so whole events cannot be deduplicated:
they are trimmed by the sequence numbers of their records, contiguous from 0 for each writer and topic.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

#: Numbers from the first up to, but not including, the second.
Span = tuple[int, int]


class Progress(NamedTuple):
    """The applied records of one writer in one topic: all below ``next`` except those in ``holes``.

    Holes ascend, are not empty, do not touch each other, and end below ``next``.
    """

    next: int = 0
    holes: tuple[Span, ...] = ()


UNTOUCHED = Progress()


def advance(progress: Progress, seq: int, count: int) -> tuple[tuple[Span, ...], Progress]:
    """Return which records of ``seq`` to ``seq + count`` are new, as spans, and the progress with them applied."""
    stop = seq + count
    if count > 0 and seq == progress.next:
        return ((seq, stop),), Progress(stop, progress.holes)
    if count <= 0 or (stop <= progress.next and not progress.holes):
        return (), progress
    # The holes that the records touch; what follows `next` is missing as well. No two of these spans touch, so a block
    # is not cut more than needed.
    begin = bisect_right(progress.holes, seq, key=_end)
    end = bisect_left(progress.holes, stop, key=_start)
    touched = progress.holes[begin:end]
    if stop > progress.next:
        touched += ((progress.next, stop),)
    fresh = tuple((max(first, seq), min(last, stop)) for first, last in touched)
    rest = [part for first, last in touched for part in ((first, max(first, seq)), (min(last, stop), last))]
    left = tuple(part for part in rest if part[0] < part[1])
    return fresh, Progress(max(stop, progress.next), progress.holes[:begin] + left + progress.holes[end:])


def _start(span: Span) -> int:
    return span[0]


def _end(span: Span) -> int:
    return span[1]
