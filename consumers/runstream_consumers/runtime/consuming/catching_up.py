"""Apply the messages of one partition number up to given offsets, outside of the consumer's group."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.kafka.messages import Message
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
            positions = await sink.open(connection, starts, log_ends)
            if not sink.deferred_bytes and all(positions[name] >= end for name, end in ends.items()):
                return
            self._seek(number, positions)
            try:
                if await self._apply_until(sink, connection, number, ends, most):
                    return
            except OffsetOutOfRangeError:  # messages were trimmed meanwhile: they are read from the archive
                continue

    def _seek(self, number: int, positions: Mapping[str, int]) -> None:
        partitions = {TopicPartition(name, number): offset for name, offset in positions.items()}
        # Only if necessary: if the library is stopped just after an assignment, its stop() may never return.
        if self.kafka.assignment() != partitions.keys():
            self.kafka.assign(list(partitions))
            self.log.assigned()
        for partition, offset in partitions.items():
            self.log.seek(partition, offset)

    async def _apply_until(
        self, sink: Sink, connection: Connection, number: int, ends: Mapping[str, int], most: int
    ) -> bool:
        """Return whether everything is applied; if not, the sink has discarded its memory and is to be opened again."""
        waiting: dict[str, deque[Message]] = {name: deque() for name in ends}
        while sink.deferred_bytes:
            await sink.apply_deferred(connection)
        while most > 0 and (behind := [name for name, end in ends.items() if sink.next_offsets[name] < end]):
            if batch := next_batch(waiting, behind, self.options.batch_events, self.options.batch_bytes):
                most -= await self._apply(sink, connection, batch)
                if not sink.next_offsets:  # a run was deleted
                    return False
                continue
            lacking = {name: ends[name] for name in behind if not waiting[name]}
            found = await self.log.fetch(
                _POLL_MS, min(most, self.options.batch_events), [TopicPartition(name, number) for name in lacking]
            )
            for partition, messages in found.items():
                waiting[partition.topic].extend(one for one in messages if one.offset < ends[partition.topic])
            if not found:
                await self._skip_missing(sink, connection, number, lacking)
        return True

    async def _apply(self, sink: Sink, connection: Connection, batch: Mapping[str, Sequence[Message]]) -> int:
        """Apply a batch; return how many messages it had."""
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


def next_batch(
    waiting: Mapping[str, deque[Message]], behind: Collection[str], events: int, size: int
) -> dict[str, list[Message]]:
    """Remove and return the messages that are next by their append times, by topic. Pure.

    None are, while a topic that has further messages has none waiting: the next one of them may be earlier.
    """
    batch: dict[str, list[Message]] = {}
    while events > 0 and size > 0 and all(waiting[name] for name in behind):
        candidates = [(queue[0].append_time, name) for name, queue in waiting.items() if queue]
        if not candidates:
            break
        message = waiting[min(candidates)[1]].popleft()
        batch.setdefault(message.topic_name, []).append(message)
        events, size = events - 1, size - message.size
    return batch
