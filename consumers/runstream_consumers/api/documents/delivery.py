"""What of a run has arrived: the counts its writers ended with, joined with what the consumers have stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runstream_consumers.liveness.reader import WriterState
from runstream_consumers.runtime.postgres.reader import WriterProgress
from runstream_consumers.runtime.registry import topic_owners
from runstream_schemas.events import Role
from runstream_schemas.topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDelivery:
    """Records of one writer in one topic."""

    stored: int
    #: None while the writer has not ended.
    counted: int | None
    #: Half-open ranges ``[first, end)`` of record numbers that are known to exist and are not stored.
    missing: tuple[tuple[int, int], ...]

    @property
    def complete(self) -> bool:
        """Whether everything that the writer counted is stored."""
        return self.counted is not None and not self.missing and self.stored >= self.counted


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterDelivery:
    """What has arrived from one writer."""

    writer: bytes
    role: str
    label: str
    topics: Mapping[Topic, TopicDelivery]

    @property
    def complete(self) -> bool:
        """Whether the writer has ended and everything it counted is stored; commands are never waited for."""
        return self.role == Role.COMMAND.value or all(topic.complete for topic in self.topics.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What has arrived of a run."""

    writers: tuple[WriterDelivery, ...]

    @property
    def complete(self) -> bool:
        """Whether every writer is complete, and there is one."""
        return bool(self.writers) and all(writer.complete for writer in self.writers)


def delivery(writers: Sequence[WriterState], progress: Iterable[WriterProgress]) -> Delivery:
    """Join the writers that liveness knows with what the owning consumers have stored of any writer."""
    stored: dict[bytes, dict[Topic, WriterProgress]] = {writer.writer: {} for writer in writers}
    for item in progress:
        if topic_owners().get(item.topic) == item.sink:
            stored.setdefault(item.writer, {})[item.topic] = item
    known = {writer.writer: writer for writer in writers}
    return Delivery(writers=tuple(_writer(id_, known.get(id_), topics) for id_, topics in stored.items()))


def as_json(found: Delivery) -> dict[str, Any]:
    """Return the JSON form of a delivery."""
    return {
        "complete": found.complete,
        "writers": [
            {
                "writer": writer.writer.hex(),
                "role": writer.role,
                "label": writer.label,
                "complete": writer.complete,
                "topics": {
                    topic.value: {
                        "stored": item.stored,
                        "counted": item.counted,
                        "missing": [list(gap) for gap in item.missing],
                    }
                    for topic, item in writer.topics.items()
                },
            }
            for writer in found.writers
        ],
    }


def _writer(id_: bytes, state: WriterState | None, topics: Mapping[Topic, WriterProgress]) -> WriterDelivery:
    counts = None if state is None else state.counts
    return WriterDelivery(
        writer=id_,
        role=Role.UNKNOWN.value if state is None else state.role,
        label="" if state is None else state.label,
        topics={
            topic: _topic(topics.get(topic), None if counts is None else counts.get(topic.value, 0))
            for topic in topic_owners()
        },
    )


def _topic(item: WriterProgress | None, counted: int | None) -> TopicDelivery:
    """A gap is a hole, or what lies between the last stored record and the count."""
    following = 0 if item is None else item.next
    holes = () if item is None else tuple(item.holes)
    tail = ((following, counted),) if counted is not None and counted > following else ()
    stored = following - sum(end - first for first, end in holes)
    return TopicDelivery(stored=stored, counted=counted, missing=holes + tail)
