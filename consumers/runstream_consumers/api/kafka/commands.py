"""Commands: what readers want changed goes in as events, each of a writer of its own (docs/http-api.md)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.errors import KafkaError

from runstream_consumers.api.problems import Unavailable
from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_schemas import values
from runstream_schemas.codec import encode
from runstream_schemas.events import ChangeEvent, Entry, Header, Kind, Operation, Record, Role, Scope, Writer
from runstream_schemas.topics import RunPath, Topic, partition_of

_DEADLINE_S = 5.0


class Commands:
    """Publishes commands; connects to Kafka with the first.

    Args:
        producer: Appends to the topics.
        partitions: How many partitions each topic has.
    """

    def __init__(self, producer: KafkaProducer, partitions: int) -> None:
        self._producer = producer
        self._partitions = partitions

    async def publish(self, event: ChangeEvent) -> None:
        """Return once the broker has the command; raises Unavailable where it does not take it in time.

        What was given up may have arrived all the same. Given again, with the same key, it counts once.
        """
        partition = partition_of(event.run, self._partitions)
        try:
            await self._producer.send(event.topic, partition, encode(event))
        except (KafkaError, OSError) as error:
            raise Unavailable("kafka_unreachable", "Kafka does not take the command; give it again.") from error


@asynccontextmanager
async def open_commands(brokers: str, prefix: str, partitions: int) -> AsyncIterator[Commands]:
    """Lend the way to Kafka, and close it at the end; connects to nothing yet."""
    producer = KafkaProducer(brokers, prefix, timeout=_DEADLINE_S)
    try:
        yield Commands(producer, partitions)
    finally:
        await producer.close()


def change_of_attributes(run: RunPath, key: bytes, attributes: Mapping[str, Any]) -> ChangeEvent:
    """Return the command that sets attributes of a run; ``key``: 16 bytes that name this command and no other."""
    now = time.time_ns() // 1000
    entries = [
        Entry(op=Operation.SET, path=(name,), value=values.dump(value), scope=Scope.ATTRIBUTE)
        for name, value in attributes.items()
    ]
    return ChangeEvent(
        header=Header(kind=Kind.DATA, run=run, writer=Writer(id=key, role=Role.COMMAND), time=now, seq=0, count=1),
        topic=Topic.CONFIG,
        records=(Record(order=0, time=now, entries=tuple(entries)),),
    )


def stop_request(writers: Sequence[bytes], time: str) -> dict[str, Any]:
    """Return the value of the attribute ``stop_requested``: it means the writers that were open, and no later one."""
    return {"time": time, "writers": [writer.hex() for writer in writers]}


def stopped_writers(attributes: Mapping[str, Any]) -> list[str]:
    """Return the writers that are asked to stop, in hexadecimal."""
    asked = attributes.get("stop_requested")
    writers = asked.get("writers") if isinstance(asked, dict) else None
    return [writer for writer in writers if isinstance(writer, str)] if isinstance(writers, list) else []
