"""Remove the records from events that were applied before. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from runstream_consumers.runtime.kafka.messages import part, writer_of
from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.store import WriterKey
from runstream_consumers.runtime.progress.spans import UNTOUCHED, Progress, Span, advance
from runstream_schemas.events import HeartbeatEvent, Kind, LogEvent
from runstream_schemas.exceptions import LimitExceeded

#: The most holes of a writer in a topic.
MAX_HOLES = 1_000
#: The most columns in all parts of an event that is cut.
MAX_CUT_COLUMNS = 200_000


@dataclass(slots=True)
class FreshEvents:
    """The new events of a batch."""

    events: list[Received] = field(default_factory=list)
    #: For each event, whose records it has and which; None if they are not numbered.
    spans: list[tuple[WriterKey, Span] | None] = field(default_factory=list)
    #: The progress of the writers with all events applied; only those for which it changed.
    progress: dict[WriterKey, Progress] = field(default_factory=dict)
    #: Events that would cost too much, with the reason.
    refused: list[tuple[Received, LimitExceeded]] = field(default_factory=list)

    def progress_without(
        self, before: Mapping[WriterKey, Progress], failed: Container[int]
    ) -> dict[WriterKey, Progress]:
        """Return the progress with all events applied except those at the indices ``failed``."""
        after: dict[WriterKey, Progress] = {}
        for index, numbered in enumerate(self.spans):
            if numbered is not None and index not in failed:
                key, (seq, stop) = numbered
                now = after.get(key) or before.get(key, UNTOUCHED)
                after[key] = advance(now, seq, stop - seq)[1]
        return after

    def lost_without(self, failed: Container[int]) -> dict[WriterKey, dict[str, list[Span]]]:
        """Return which records markers account for, by writer and reason, except those at the indices ``failed``."""
        lost: dict[WriterKey, dict[str, list[Span]]] = {}
        for index, (item, numbered) in enumerate(zip(self.events, self.spans, strict=True)):
            if numbered is not None and item.event.kind is Kind.DROPPED and index not in failed:
                key, span = numbered
                lost.setdefault(key, {}).setdefault(item.event.reason, []).append(span)
        return lost


def trim(before: Mapping[WriterKey, Progress], received: Sequence[Received]) -> FreshEvents:
    """Return the new events, in order, given the previous progress of their writers.

    Each event is left out, kept, or cut into its new parts. Heartbeats are kept unchanged. An event is refused if it
    leaves more holes, or has to be cut into more parts, than any writer causes: each later event would cost more.
    """
    trimmed = FreshEvents()
    for item in received:
        event = item.event
        key = writer_of(event)
        if key is None or isinstance(event, HeartbeatEvent):
            trimmed.events.append(item)
            trimmed.spans.append(None)
            continue
        now = trimmed.progress.get(key) or before.get(key, UNTOUCHED)
        spans, after = advance(now, event.seq, event.count)
        if (problem := _excess(item, spans, now, after)) is not None:
            trimmed.refused.append((item, LimitExceeded(problem)))
            continue
        if spans:
            trimmed.progress[key] = after
        for span in spans:
            trimmed.events.append(part(item, span))
            trimmed.spans.append((key, span))
    return trimmed


def _excess(item: Received, spans: Sequence[Span], before: Progress, after: Progress) -> str | None:
    """Return why an event is refused, or None if it is not."""
    if len(after.holes) > max(MAX_HOLES, len(before.holes)):
        return f"The records of writer {item.event.writer.id.hex()} have more than {MAX_HOLES} holes"
    columns = len(item.event.columns) if isinstance(item.event, LogEvent) else 1
    if len(spans) > 1 and len(spans) * columns > MAX_CUT_COLUMNS:
        return f"An event of {columns} columns fills {len(spans)} holes"
    return None
