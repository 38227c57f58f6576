"""Copies the messages of all topics to the topic archive, unchanged."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream_consumers.archiver.chunk_store import ChunkStore
from runstream_consumers.archiver.settings import ArchiverSettings
from runstream_consumers.runtime.exceptions import TopicRecreated
from runstream_consumers.runtime.kafka.client import log_bounds
from runstream_consumers.runtime.topic_archive import manifest
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage, ChunkName
from runstream_schemas.topics import Topic, topic_name

log = logging.getLogger(__name__)

_FETCH_MS = 1_000
_REQUEST_S = 15.0
#: Messages of a chunk; the offsets of their runs are in one row of the manifest.
_MESSAGES = 20_000


@dataclass(slots=True)
class Archiver:
    """Archives over one client of Kafka and one connection, one partition at a time."""

    settings: ArchiverSettings
    chunks: ChunkStore
    kafka: AIOKafkaConsumer
    #: When the messages of a partition that wait were first seen, monotonic seconds.
    _waiting: dict[TopicPartition, float] = field(default_factory=dict)

    async def run_once(self, *, now: float | None = None) -> int:
        """Archive what is due in all partitions, and delete unused objects; return how many messages were archived.

        With ``now`` infinite, everything is due. Raises the errors of the servers, ArchiveConflict and TopicRecreated.
        """
        now = time.monotonic() if now is None else now
        await self.chunks.delete_unused(self.settings.archive_grace_s)
        names = [topic_name(self.settings.prefix, topic) for topic in Topic]
        partitions = [TopicPartition(name, number) for name in names for number in range(self.settings.partitions)]
        starts, ends = await log_bounds(self.kafka, partitions, timeout=_REQUEST_S)
        known = await manifest.positions(self.chunks.connection, names)
        count = 0
        for partition in partitions:
            next_offset = await self._position(partition, known, starts[partition], ends[partition])
            if self._is_due(partition, ends[partition] - next_offset, now):
                count += await self._archive(partition, next_offset, ends[partition])
                self._waiting.pop(partition, None)
        return count

    def _is_due(self, partition: TopicPartition, messages: int, now: float) -> bool:
        if messages <= 0:
            self._waiting.pop(partition, None)
            return False
        since = self._waiting.setdefault(partition, now if now != float("inf") else 0.0)
        return messages >= self.settings.archive_messages or now - since >= self.settings.archive_delay_s

    async def _position(
        self, partition: TopicPartition, known: Mapping[TopicPartition, int], start: int, end: int
    ) -> int:
        """Return where to continue; a new partition begins at the first message that the broker has."""
        connection, found = self.chunks.connection, known.get(partition)
        if found is None:
            await connection.execute(manifest.QUERIES["make_position"], *partition, start)
            return start
        if found > end:
            raise TopicRecreated(
                f"{partition.topic}[{partition.partition}] ends at {end}, but is archived up to {found}: the topic was "
                "created again or lost its tail"
            )
        if found < start:
            log.error("%s[%d]: offsets %d to %d were deleted before they were archived", *partition, found, start - 1)
            await connection.execute(manifest.QUERIES["move_position"], *partition, found, start)
        return max(found, start)

    async def _archive(self, partition: TopicPartition, first: int, end: int) -> int:
        count = 0
        async for start, stop, messages in self._pieces(partition, first, end):
            name = ChunkName(partition.topic, partition.partition, start, stop)
            chunk = await self.chunks.add(name, messages)
            count += chunk.messages
            log.info("archived %d messages of %s[%d] up to offset %d", chunk.messages, *partition, chunk.stop)
        return count

    async def _pieces(
        self, partition: TopicPartition, first: int, end: int
    ) -> AsyncIterator[tuple[int, int, list[ArchivedMessage]]]:
        """Yield the messages of a partition up to an offset, as many as an object has, with their range of offsets.

        The ranges follow each other. Not every offset has a message: a transaction ends with a marker of the broker.
        """
        self.kafka.assign([partition])
        self.kafka.seek(partition, first)
        messages: list[ArchivedMessage] = []
        size, position = 0, first
        while position < end:
            found = await self.kafka.getmany(timeout_ms=_FETCH_MS, max_records=500)
            for record in found.get(partition, ()):
                if record.offset >= end:
                    break
                messages.append(_archived(record))
                size += len(record.value or b"")
                if size >= self.settings.archive_chunk_bytes or len(messages) >= _MESSAGES:
                    yield first, record.offset + 1, messages
                    first, messages, size = record.offset + 1, [], 0
            position = await self.kafka.position(partition)
        if messages:
            yield first, end, messages


def _archived(record: Any) -> ArchivedMessage:
    headers = tuple((key, value) for key, value in record.headers)
    return ArchivedMessage(record.offset, record.timestamp, record.timestamp_type, record.key, record.value, headers)
