"""Events for tests, and their publication to real topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from aiokafka import AIOKafkaProducer

from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


PARTITIONS = 2


def run_in(partition: int, number: int = 0) -> RunPath:
    """Return a run that belongs to a partition; each number is another run."""
    found = (RunPath(entity="team", project="digits", run_id=f"run{index}") for index in range(10_000))
    runs = [run for run in (next(found) for _ in range(40)) if partition_of(run, PARTITIONS) == partition]
    return runs[number]


def writer(number: int) -> events.Writer:
    """Return a writer with a recognizable id."""
    return events.Writer(id=number.to_bytes(16, "big"), role=events.Role.PRIMARY)


def block(
    run: RunPath,
    by: events.Writer,
    seq: int,
    count: int,
    *,
    rows: Sequence[dict[str, Any]] | None = None,
    steps: Sequence[int] | None = None,
    stream: events.Stream = events.Stream.HISTORY,
) -> events.LogEvent:
    """Return a block whose rows have their number as ``at`` by default."""
    numbers = np.arange(seq, seq + count)
    return events.LogEvent(
        header=events.Header(kind=events.Kind.DATA, run=run, writer=by, time=1_000_000, seq=seq, count=count),
        stream=stream,
        orders=numbers,
        steps=numbers if steps is None else np.array(steps),
        times=1_000_000 * numbers,
        columns=pack_rows([{"at": int(number)} for number in numbers] if rows is None else rows),
    )


def marker(
    run: RunPath, by: events.Writer, seq: int, count: int, *, reason: str, topic: Topic = Topic.LOG
) -> events.LogEvent | events.ChangeEvent:
    """Return a marker for dropped rows or changes."""
    header = events.Header(kind=events.Kind.DROPPED, run=run, writer=by, time=1, seq=seq, count=count, reason=reason)
    if topic is not Topic.LOG:
        return events.ChangeEvent(header=header, topic=topic)
    none = np.empty(0, dtype=np.int64)
    return events.LogEvent(header=header, stream=events.Stream.HISTORY, orders=none, steps=none, times=none)


def changes(run: RunPath, by: events.Writer, seq: int, values: Sequence[str]) -> events.ChangeEvent:
    """Return config records that set a key to each of some JSON texts."""
    records = tuple(
        events.Record(
            order=seq + index, time=1, entries=(events.Entry(op=events.Operation.SET, path=("key",), value=value),)
        )
        for index, value in enumerate(values)
    )
    return events.ChangeEvent(
        header=events.Header(kind=events.Kind.DATA, run=run, writer=by, time=1, seq=seq, count=len(values)),
        topic=Topic.CONFIG,
        records=records,
    )


def beat(run: RunPath, by: events.Writer) -> events.HeartbeatEvent:
    """Return a beat."""
    return events.HeartbeatEvent(header=events.Header(kind=events.Kind.BEAT, run=run, writer=by, time=1))


async def publish(broker: str, prefix: str, events: Iterable[events.Event]) -> None:
    """Append events to the topics of a prefix, each in its run's partition."""
    await publish_messages(
        broker, prefix, [(event.topic, partition_of(event.run, PARTITIONS), encode(event)) for event in events]
    )


async def publish_messages(broker: str, prefix: str, messages: Iterable[tuple[Topic, int, bytes | None]]) -> None:
    """Append messages unchanged and in order."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
    await producer.start()
    try:
        for topic, partition, message in messages:
            await producer.send_and_wait(topic_name(prefix, topic), message, key=b"key", partition=partition)
    finally:
        await producer.stop()
