"""Apply the messages of one partition number up to given offsets, outside of the consumer's group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from runstream_consumers.runtime.consuming.buffer import Buffer
from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.topic_archive.topic_log import TopicLog

_POLL_MS = 500
_UNLIMITED = 2**62


@dataclass(slots=True)
class CatchUp:
    """Reads over one client of Kafka, of which ``log`` makes use, one partition number at a time."""

    kafka: AIOKafkaConsumer
    log: TopicLog
    options: Options
    #: Called after each batch with how many messages of each topic it had.
    applied: Callable[[Mapping[str, int]], None]

    async def run(
        self,
        sink: Sink,
        connection: Connection,
        number: int,
        ends: Mapping[str, int] | None = None,
        *,
        most: int = _UNLIMITED,
    ) -> None:
        """Apply what a sink has not read of a partition number, up to ``ends`` (by topic) or those of the topics.

        At most ``most`` messages and a batch. Messages that wait for the turn of their run are applied as well. Raises
        the errors of Kafka, of Postgres and of the consumer; a repetition continues where the sink is then.
        """
        given = ends
        while True:
            starts, log_ends = await self.log.bounds(number)
            ends = given or log_ends
            await self._seek(number, await sink.open(connection, starts, log_ends))
            try:
                await self._apply_until(sink, connection, number, ends, most)
            except OffsetOutOfRangeError:  # messages were trimmed meanwhile: they are read from the archive
                continue
            return

    async def _seek(self, number: int, positions: Mapping[str, int]) -> None:
        partitions = {TopicPartition(name, number): offset for name, offset in positions.items()}
        self.kafka.assign(list(partitions))
        self.log.assigned()
        for partition, offset in partitions.items():
            self.log.seek(partition, offset)

    async def _apply_until(
        self, sink: Sink, connection: Connection, number: int, ends: Mapping[str, int], most: int
    ) -> None:
        buffer = Buffer(self.options.buffer_bytes)
        while sink.deferred_bytes:
            await sink.apply_deferred(connection)
        while most > 0 and (behind := [name for name, end in ends.items() if sink.next_offsets[name] < end]):
            found = await self.log.fetch(_POLL_MS, min(most, self.options.batch_events))
            for partition, messages in found.items():
                buffer.put(number, [one for one in messages if one.offset < ends[partition.topic]])
            if not buffer.has_messages(number) and not found:
                await self._skip_missing(sink, connection, number, {name: ends[name] for name in behind})
            while buffer.has_messages(number):
                most -= await self._apply(sink, connection, number, buffer)

    async def _apply(self, sink: Sink, connection: Connection, number: int, buffer: Buffer) -> int:
        """Apply the next messages of the buffer; return how many."""
        batch = buffer.take(number, events=self.options.batch_events, size=self.options.batch_bytes)
        while gaps := (await sink.apply_batch(connection, batch)).gaps:
            for name, missing in gaps.items():
                await sink.skip(connection, name, missing, "no message at these offsets")
        while sink.deferred_bytes:
            await sink.apply_deferred(connection)
        counts = {name: len(messages) for name, messages in batch.items()}
        self.applied(counts)
        return sum(counts.values())

    async def _skip_missing(self, sink: Sink, connection: Connection, number: int, ends: Mapping[str, int]) -> None:
        """Skip offsets before an end that have no message."""
        for name, end in ends.items():
            first = sink.next_offsets[name]
            if first < end <= await self.log.position(TopicPartition(name, number)):
                await sink.skip(connection, name, (first, end), "no message at these offsets")
