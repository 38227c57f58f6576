"""Kafka's clients: the group's consumer and its assignment, readers outside the group, and the producer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalStateError, KafkaError

from runstream_consumers.runtime.exceptions import RuntimeFault, TopicMismatch
from runstream_consumers.runtime.kafka.shutdown import close_producer
from runstream_consumers.runtime.options import Options
from runstream_schemas.topics import Topic, topic_name

log = logging.getLogger(__name__)

#: The library would leave the group while the database is down and nothing is fetched; the watchdog detects stalls.
_NEVER_MS = 24 * 60 * 60 * 1000
_CLOSE_TIMEOUT_S = 1.0
#: A connection begins with three requests. The library must reach its own limit first: if it is interrupted while it
#: waits for the last of them, it leaves that connection open.
_REQUESTS_OF_START = 4


def range_assignor() -> type:
    """Return the assignor that assigns a partition number of all topics to the same process.

    The library documents no import path for it; this one is valid in aiokafka 0.8 to 0.14, and tested with the version
    in use. There is no substitute: with another assignor two processes would work on the same run. Raises RuntimeFault
    if the import fails.
    """
    try:
        from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeFault(f"Unsupported version of aiokafka: expected 0.14 ({error})") from error
    assignor: type = RangePartitionAssignor
    return assignor


def make_consumer(brokers: str, *, group: str, instance: str, options: Options) -> AIOKafkaConsumer:
    """Return the consumer of a group, not started, that neither resets nor commits offsets automatically."""
    return AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=group,
        group_instance_id=f"{group}-{instance}" if instance else None,
        client_id=f"runstream-{group}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        partition_assignment_strategy=(range_assignor(),),
        fetch_max_wait_ms=_milliseconds(options.fetch_wait),
        max_partition_fetch_bytes=options.fetch_partition_bytes,
        fetch_max_bytes=options.fetch_bytes,
        session_timeout_ms=_milliseconds(options.session_timeout),
        heartbeat_interval_ms=_milliseconds(options.heartbeat_interval),
        request_timeout_ms=_milliseconds(options.request_timeout),
        max_poll_interval_ms=_NEVER_MS,
    )


def start_timeout(request_timeout: float) -> float:
    """Return how long a client may take to connect, given its limit for a single request; both in seconds."""
    return _REQUESTS_OF_START * request_timeout


async def check_topics(brokers: str, names: Collection[str], partitions: int, *, request_timeout: float) -> bool:
    """Return whether all topics exist; raises TopicMismatch if one has another number of partitions.

    Raises KafkaError or OSError if the brokers do not answer.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=_milliseconds(request_timeout))
    try:
        await admin.start()
        described = await admin.describe_topics(list(names))
    finally:
        await admin.close()
    found = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
    if wrong := {name: count for name, count in found.items() if count != partitions}:
        raise TopicMismatch(
            f"Wrong number of partitions: topics have {wrong}, but RUNSTREAM_PARTITIONS is {partitions}"
        )
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
        async with asyncio.timeout(start_timeout(options.request_timeout)):
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
    """Return the first offset, and the one after the last, of each partition."""
    async with asyncio.timeout(timeout):
        starts = await consumer.beginning_offsets(partitions)
        return starts, await consumer.end_offsets(partitions)


async def topic_bounds(
    consumer: AIOKafkaConsumer, names: Iterable[str], number: int, *, timeout: float
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the first offset, and the one after the last, of one partition number of each topic, by topic name."""
    starts, ends = await log_bounds(consumer, [TopicPartition(name, number) for name in names], timeout=timeout)
    return {tp.topic: offset for tp, offset in starts.items()}, {tp.topic: offset for tp, offset in ends.items()}


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """What the group assigns to this process. It only records: the library swallows errors that are raised here."""

    def __init__(self) -> None:
        self.generation = 0
        self.partitions: frozenset[TopicPartition] = frozenset()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Record that nothing is assigned until the next assignment."""
        self.generation += 1
        self.partitions = frozenset()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Record what is assigned."""
        self.generation += 1
        self.partitions = frozenset(assigned)


class KafkaProducer:
    """Appends to the topics of the stack; connected by the first message, and replaced after any failure.

    After a batch that a broker refuses, the library's producer is unusable for that partition. A message whose
    acknowledgment timed out may still be appended, so readers of these messages must tolerate duplicates.
    """

    def __init__(self, brokers: str, prefix: str, *, timeout: float) -> None:
        self._brokers = brokers
        self._prefix = prefix
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Append a message and wait for the acknowledgment; raises OSError or KafkaError if there is none."""
        producer = await self._start()
        try:
            async with asyncio.timeout(self._timeout):
                await producer.send_and_wait(topic_name(self._prefix, topic), message, partition=partition)
        except (KafkaError, OSError):
            if self._producer is producer:
                self._producer = None
                await close_producer(producer, _CLOSE_TIMEOUT_S)
            raise

    async def close(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer, _CLOSE_TIMEOUT_S)

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
                    async with asyncio.timeout(start_timeout(self._timeout)):
                        await producer.start()
                except BaseException:
                    await close_producer(producer, _CLOSE_TIMEOUT_S)
                    raise
                self._producer = producer
            return self._producer


async def commit_lag_offsets(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int], *, timeout: float
) -> bool:
    """Commit offsets to Kafka so that the lag can be seen; return whether it worked. Nothing depends on it."""
    try:
        async with asyncio.timeout(timeout):
            await consumer.commit(dict(offsets))
    except (KafkaError, IllegalStateError, OSError) as error:
        log.debug("offsets were not committed to Kafka: %r", error)
        return False
    return True


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
