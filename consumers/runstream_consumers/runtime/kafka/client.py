"""The way to Kafka: the group's consumer, its assignment, and the producer lent to consumers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError

from runstream_consumers.runtime.exceptions import TopicMismatch
from runstream_schemas.topics import topic_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

    from aiokafka import TopicPartition

    from runstream_consumers.runtime.options import Options
    from runstream_schemas.topics import Topic

log = logging.getLogger(__name__)

#: The library would leave the group while a database is down and nothing is fetched; the watchdog looks after us.
_NEVER_MS = 24 * 60 * 60 * 1000


def make_consumer(brokers: str, *, group: str, instance: str, options: Options) -> AIOKafkaConsumer:
    """Return the consumer of a group, not started, on which no offset is ever reset or committed by itself."""
    return AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=group,
        group_instance_id=f"{group}-{instance}" if instance else None,
        client_id=f"runstream-{group}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        partition_assignment_strategy=(RangePartitionAssignor,),
        fetch_max_wait_ms=_milliseconds(options.fetch_wait),
        max_partition_fetch_bytes=options.fetch_partition_bytes,
        fetch_max_bytes=options.fetch_bytes,
        session_timeout_ms=_milliseconds(options.session_timeout),
        heartbeat_interval_ms=_milliseconds(options.heartbeat_interval),
        request_timeout_ms=_milliseconds(options.request_timeout),
        max_poll_interval_ms=_NEVER_MS,
    )


async def check_topics(brokers: str, names: Collection[str], partitions: int, *, request_timeout: float) -> bool:
    """Tell whether all topics exist; raises TopicMismatch where one has another number of partitions.

    Raises KafkaError or OSError where the brokers don't answer.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=_milliseconds(request_timeout))
    try:
        await admin.start()
        described = await admin.describe_topics(list(names))
    finally:
        await admin.close()
    found = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
    if wrong := {name: count for name, count in found.items() if count != partitions}:
        raise TopicMismatch(f"topics have {wrong} partitions where RUNSTREAM_PARTITIONS is {partitions}")
    return found.keys() >= set(names)


@asynccontextmanager
async def connected_reader(brokers: str, options: Options) -> AsyncIterator[AIOKafkaConsumer]:
    """Provide a consumer outside any group, connected until the block ends."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=_milliseconds(options.request_timeout),
    )
    try:
        async with asyncio.timeout(options.request_timeout):
            await reader.start()
        yield reader
    finally:
        await reader.stop()


async def offsets_at(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], time: int | None, *, timeout: float
) -> Mapping[TopicPartition, int]:
    """Return for each partition the first offset appended at or after a time, milliseconds since 1970.

    The end of the partition if there is none, or if no time is given.
    """
    async with asyncio.timeout(timeout):
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        if time is None:
            return ends
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, time))
    return ends | {partition: at.offset for partition, at in found.items() if at is not None}


async def log_bounds(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], *, timeout: float
) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
    """Return the first offset and the one behind the last of each partition."""
    async with asyncio.timeout(timeout):
        starts = await consumer.beginning_offsets(partitions)
        return starts, await consumer.end_offsets(partitions)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """What the group gives this process. It only takes notes: errors raised here are swallowed by the library."""

    def __init__(self) -> None:
        self.generation = 0
        self.partitions: frozenset[TopicPartition] = frozenset()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Note that nothing is ours until the next assignment."""
        self.generation += 1
        self.partitions = frozenset()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Note what is ours."""
        self.generation += 1
        self.partitions = frozenset(assigned)


class KafkaProducer:
    """Appends to the topics of the stack; connected by the first message, rebuilt after any failure.

    A batch that a broker refuses leaves the library's producer unusable for its partition, and a message given up
    waiting for may be sent all the same: what is appended must bear being there twice.
    """

    def __init__(self, brokers: str, prefix: str, *, timeout: float) -> None:
        self._brokers = brokers
        self._prefix = prefix
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Append a message; returns once the broker has it. Raises OSError or a Kafka error where it does not."""
        producer = await self._start()
        try:
            async with asyncio.timeout(self._timeout):
                await producer.send_and_wait(topic_name(self._prefix, topic), message, partition=partition)
        except (KafkaError, OSError):
            if self._producer is producer:
                self._producer = None
                await self._end(producer)
            raise

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._end(producer)

    async def _start(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._brokers,
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=_milliseconds(self._timeout),
                )
                try:
                    async with asyncio.timeout(self._timeout):
                        await producer.start()
                except BaseException:
                    await self._end(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _end(self, producer: AIOKafkaProducer) -> None:
        with contextlib.suppress(KafkaError, OSError):
            async with asyncio.timeout(1.0):  # a flush has no limit of its own
                await producer.stop()


async def commit_lag_offsets(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int], *, timeout: float
) -> bool:
    """Tell Kafka how far we are, for whoever looks at the lag; True when it heard. Nothing depends on it."""
    try:
        async with asyncio.timeout(timeout):
            await consumer.commit(dict(offsets))
    except (KafkaError, IllegalStateError, OSError) as error:
        log.debug("offsets not told to Kafka: %r", error)
        return False
    return True


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
