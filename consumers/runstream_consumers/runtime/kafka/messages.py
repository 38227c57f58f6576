"""Decode messages into events, and cut events down to some of their records. Pure."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from runstream_consumers.runtime.plugin import Received
from runstream_consumers.runtime.postgres.run_key import run_key, writer_key
from runstream_consumers.runtime.postgres.store import TOPIC_NUMBERS, Rejected, WriterKey
from runstream_consumers.runtime.progress.spans import Span
from runstream_schemas.codec import decode, decode_run, encode
from runstream_schemas.events import ChangeEvent, Event, HeartbeatEvent, Kind, LogEvent, NumberedEvent
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.rows import cut
from runstream_schemas.topics import RunPath, Topic, partition_of

#: No writer counts this far, and larger numbers still fit into Postgres.
_GREATEST_SEQ = 2**62


class Message(NamedTuple):
    """A message of Kafka; ``topic_name`` is the topic's name there."""

    topic: Topic
    topic_name: str
    partition: int
    offset: int
    #: Broker append time, microseconds since 1970.
    append_time: int
    value: bytes | None
    #: Whether it was of a deleted run, and its content was removed from the archive.
    is_purged: bool = False

    @property
    def size(self) -> int:
        """The approximate memory that the message occupies, bytes."""
        return len(self.value or b"") + 200

    def rejected(self, stage: str, run: UUID, error: Exception) -> Rejected:
        """Return the message for the quarantine; ``run`` is the key of its run."""
        reason = f"{type(error).__name__}: {error}"
        return Rejected(self.topic_name, self.partition, self.offset, self.append_time, stage, reason, self.value, run)


def message_from(topic: Topic, record: Any) -> Message:
    """Return a record of Kafka's client as a message."""
    return Message(topic, record.topic, record.partition, record.offset, record.timestamp * 1000, record.value)


def receive(message: Message, partitions: int) -> Received:
    """Return the event of a message; raises MalformedEvent if no consumer may receive it."""
    if message.value is None:
        raise MalformedEvent("message without a value")
    event = decode(message.topic, message.value)
    _check_partition(event, message.partition, partitions)
    if not isinstance(event, HeartbeatEvent) and event.seq + event.count > _GREATEST_SEQ:
        raise MalformedEvent(f"records {event.seq}+{event.count}: numbers too large")
    return Received(message.topic, message.partition, message.offset, message.append_time, message.value, event)


def run_of(message: Message) -> RunPath | None:
    """Return the run of a message, of which only the head is decoded; None if that is malformed."""
    try:
        return decode_run(message.value or b"")
    except MalformedEvent:
        return None


def writer_of(event: Event) -> WriterKey | None:
    """Return the key of the progress that counts the records of an event; None if they are not numbered."""
    if isinstance(event, HeartbeatEvent):
        return None
    return run_key(event.run), writer_key(event.writer.id), TOPIC_NUMBERS[event.topic]


def part(received: Received, span: Span) -> Received:
    """Return an event with only the records of a span, which must be part of the event's."""
    event = received.event
    if isinstance(event, HeartbeatEvent) or span == (event.seq, event.seq + event.count):
        return received
    shorter = _cut(event, *span)
    return received._replace(event=shorter, message=encode(shorter))


def _cut(event: NumberedEvent, seq: int, stop: int) -> Event:
    if isinstance(event, LogEvent):
        return cut(event, seq - event.seq, stop - event.seq)
    header = event.header.with_records(seq, stop - seq)
    if isinstance(event, ChangeEvent):
        return replace(event, header=header, records=event.records[seq - event.seq : stop - event.seq])
    return replace(event, header=header)


def _check_partition(event: Event, partition: int, partitions: int) -> None:
    """Reject an event outside its run's partition: two workers would process the run. A tick has no run."""
    if event.kind is not Kind.TICK and (expected := _partition_of(event.run, partitions)) != partition:
        raise MalformedEvent(f"run {event.run} belongs in partition {expected}, not {partition}")


@lru_cache(maxsize=65_536)
def _partition_of(run: RunPath, partitions: int) -> int:
    return partition_of(run, partitions)
