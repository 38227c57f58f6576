"""Lost records: those that markers of kind ``dropped`` account for, as ranges by reason. Pure, and bounded in size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Numbers from the first up to, but not including, the second.
Span = tuple[int, int]

#: Most reasons of a writer and topic that are kept apart, and most of their ranges; counts have no limit.
MAX_REASONS = 20
MAX_SPANS = 1_000
#: What records count as whose reason is one too many.
OTHER_REASONS = "other reasons"
_LONGEST_REASON = 500
#: What the records of a topic are called.
_NOUNS = {
    "log": "row",
    "config": "config change",
    "summary": "summary change",
    "file": "file",
    "artifact": "artifact",
    "alert": "alert",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """The records of a writer and topic that were lost for one reason."""

    reason: str
    count: int
    #: Ascending ranges that do not touch; some are left out if there are too many.
    spans: tuple[Span, ...] = ()

    @classmethod
    def from_json(cls, data: Sequence[Any]) -> Loss:
        """Return the loss in a list of :meth:`to_json`."""
        reason, count, spans = data
        return cls(str(reason), int(count), tuple((int(first), int(stop)) for first, stop in spans))

    def to_json(self) -> list[Any]:
        """Return the loss as a list: the reason, the count, and the ranges."""
        return [self.reason, self.count, [list(span) for span in self.spans]]


#: The lost records of a writer in a topic.
Losses = tuple[Loss, ...]


def count_lost(losses: Iterable[Loss]) -> int:
    """Return the number of lost records."""
    return sum(loss.count for loss in losses)


def lost_text(topic: str, count: int, reason: str, total: int | None = None) -> str:
    """Return the lost records of a topic for people: ``2 of 100 rows (the disk was full)``."""
    noun = _NOUNS.get(topic, f"{topic} record")
    of = "" if total is None else f" of {total:,}"
    return f"{count:,}{of} {noun}{'' if (total or count) == 1 else 's'} ({reason})"


def merge(before: Losses, added: Mapping[str, Sequence[Span]]) -> Losses:
    """Return the losses with further records, by reason; none of them may be in ``before``."""
    merged = {loss.reason: loss for loss in before}
    for text, spans in added.items():
        reason = text[:_LONGEST_REASON]
        if reason not in merged and len(merged) >= MAX_REASONS:
            reason = OTHER_REASONS
        loss = merged.get(reason, Loss(reason, 0))
        count = loss.count + sum(stop - first for first, stop in spans)
        taken = sum(len(other.spans) for other in merged.values() if other.reason != reason)
        merged[reason] = Loss(reason, count, _join([*loss.spans, *spans])[: max(MAX_SPANS - taken, 0)])
    return tuple(merged.values())


def _join(spans: Iterable[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for first, stop in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((first, stop))
    return tuple(joined)
