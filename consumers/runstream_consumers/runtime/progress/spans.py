"""Which records of a writer were applied, and which part of a block is new. Pure.

After a crash of the shipper the same records may arrive again in other blocks, so whole events cannot be deduplicated:
they are trimmed by the sequence numbers of their records, contiguous from 0 for each writer and topic.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Numbers from the first up to, but not including, the second.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Progress:
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
    fresh: list[Span] = []
    holes: list[Span] = []
    # What follows `next` is missing as well. No two of these spans touch, so a block is not cut more than needed.
    for first, last in (*progress.holes, (progress.next, max(stop, progress.next))):
        begin, end = max(first, seq), min(last, stop)
        if begin < end:
            fresh.append((begin, end))
            holes += [(first, begin), (end, last)]
        else:
            holes.append((first, last))
    return tuple(fresh), Progress(max(stop, progress.next), tuple(hole for hole in holes if hole[0] < hole[1]))
