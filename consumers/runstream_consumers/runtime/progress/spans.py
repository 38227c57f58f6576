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
    for hole in progress.holes:
        _fill(hole, seq, stop, fresh, holes)
    if seq > progress.next:
        holes.append((progress.next, seq))
    if stop > progress.next:
        _append(fresh, (max(seq, progress.next), stop))
    return tuple(fresh), Progress(max(stop, progress.next), tuple(holes))


def _fill(hole: Span, seq: int, stop: int, fresh: list[Span], holes: list[Span]) -> None:
    """Remove the records from a hole."""
    first, last = max(hole[0], seq), min(hole[1], stop)
    if first >= last:
        holes.append(hole)
        return
    _append(fresh, (first, last))
    if hole[0] < first:
        holes.append((hole[0], first))
    if last < hole[1]:
        holes.append((last, hole[1]))


def _append(spans: list[Span], span: Span) -> None:
    """Add a span, joined to the last one if they touch, so that a block is not cut more than needed."""
    if spans and spans[-1][1] == span[0]:
        spans[-1] = (spans[-1][0], span[1])
    else:
        spans.append(span)
