"""Topics as if nothing had been deleted from them: from the archive what the brokers no longer have, then from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream_consumers.runtime.kafka.client import log_bounds, offsets_at, topic_bounds
from runstream_consumers.runtime.kafka.messages import Message, message_from
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage
from runstream_schemas.topics import Topic


class TopicLog:
    """Reads partitions of topics, which are assigned to ``kafka``, by offset; ``topics`` are by their names in Kafka.

    A partition is paused in Kafka's client while it is read from the archive.
    """

    def __init__(
        self, kafka: AIOKafkaConsumer, archive: TopicArchive | None, topics: Mapping[str, Topic], *, timeout: float
    ) -> None:
        self._kafka = kafka
        self._archive = archive
        self._topics = topics
        self._timeout = timeout
        #: The first offsets that the brokers had, when last asked.
        self._retained: dict[TopicPartition, int] = {}
        #: The next offsets of the partitions that are read from the archive.
        self._archived: dict[TopicPartition, int] = {}

    async def bounds(self, number: int) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return the first offset, and the one after the last, of each topic in a partition number.

        Raises OSError, KafkaError or asyncpg's errors if a server does not answer.
        """
        retained, ends = await topic_bounds(self._kafka, self._topics, number, timeout=self._timeout)
        self._retained |= {TopicPartition(name, number): offset for name, offset in retained.items()}
        archived = await _archived_starts(self._archive, retained, [number])
        return {
            name: min(offset, archived.get(TopicPartition(name, number), offset)) for name, offset in retained.items()
        }, ends

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset; raises IllegalStateError if the partition is no longer assigned."""
        retained = self._retained.get(partition, 0)
        self._kafka.seek(partition, max(offset, retained))
        if self._archive is not None and offset < retained:
            self._kafka.pause(partition)
            self._archived[partition] = offset
        elif self._archived.pop(partition, None) is not None:
            self._kafka.resume(partition)

    def assigned(self) -> None:
        """Forget the positions, since other partitions were assigned."""
        self._archived.clear()

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset of the next message that is read."""
        if (offset := self._archived.get(partition)) is not None:
            return offset
        found: int = await self._kafka.position(partition)
        return found

    async def fetch(
        self, timeout_ms: int, most: int | None = None, only: Collection[TopicPartition] = ()
    ) -> Mapping[TopicPartition, Sequence[Message]]:
        """Return new messages by partition: a chunk of one that is read from the archive, and what the brokers have.

        At most ``most`` of the latter; of some partitions, if any are given. Raises the errors of Kafka and Postgres,
        OSError and ArchiveDamaged.
        """
        found: dict[TopicPartition, Sequence[Message]] = {}
        if archived := [one for one in self._archived if not only or one in only]:
            timeout_ms = 0
            found[archived[0]] = await self._read_archived(archived[0])
        records_of = await self._kafka.getmany(*only, timeout_ms=timeout_ms, max_records=most)
        for partition, records in records_of.items():
            if partition not in found:
                found[partition] = [message_from(self._topics[partition.topic], record) for record in records]
        return found

    async def _read_archived(self, partition: TopicPartition) -> Sequence[Message]:
        """Return the next chunk of a partition; after it, the turn is that of another one, or of the brokers."""
        assert self._archive is not None, "seek() has checked it"  # noqa: S101
        offset = self._archived[partition]
        messages, stop = await self._archive.read(partition, offset)
        if self._archived.get(partition) != offset:  # it was sought or revoked meanwhile
            return []
        del self._archived[partition]
        after = self._retained[partition] if stop is None else stop
        if after < self._retained[partition]:
            self._archived[partition] = after
        else:
            self._kafka.seek(partition, after)
            self._kafka.resume(partition)
        topic = self._topics[partition.topic]
        return [archived_message(topic, partition, message) for message in messages]


def archived_message(topic: Topic, partition: TopicPartition, archived: ArchivedMessage) -> Message:
    """Return a message of the archive as if the brokers had it."""
    time = archived.timestamp * 1000
    return Message(
        topic, partition.topic, partition.partition, archived.offset, time, archived.value, archived.is_purged
    )


async def first_offsets(
    kafka: AIOKafkaConsumer, archive: TopicArchive | None, partitions: Sequence[TopicPartition], *, timeout: float
) -> dict[TopicPartition, int]:
    """Return the first offset of each partition, archived or not."""
    retained, _ = await log_bounds(kafka, partitions, timeout=timeout)
    archived = await _archived_starts(archive, {one.topic for one in retained}, {one.partition for one in retained})
    return {partition: min(offset, archived.get(partition, offset)) for partition, offset in retained.items()}


async def offsets_since(
    kafka: AIOKafkaConsumer,
    archive: TopicArchive | None,
    partitions: Sequence[TopicPartition],
    time: int | None,
    *,
    timeout: float,
) -> dict[TopicPartition, int]:
    """Return for each partition the first offset appended at or after a time, milliseconds since 1970, archived or not.

    The end of the partition if there is none, or if no time is given.
    """
    found = dict(await offsets_at(kafka, partitions, time, timeout=timeout))
    if time is None or archive is None:
        return found
    first = await first_offsets(kafka, archive, partitions, timeout=timeout)
    retained, _ = await log_bounds(kafka, partitions, timeout=timeout)
    for partition in partitions:
        if first[partition] < retained[partition] and (at := await archive.offset_at(partition, time)) is not None:
            found[partition] = min(found[partition], at)
    return found


async def _archived_starts(
    archive: TopicArchive | None, names: Collection[str], numbers: Collection[int]
) -> dict[TopicPartition, int]:
    return {} if archive is None else await archive.starts(names, numbers)
