"""The consume loop of one process: fetches for all its partitions, passes messages to the workers, monitors both.

The group only assigns partition numbers; the database decides where to read. See ``docs/consumers.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from runstream_consumers.runtime.consuming.buffer import Buffer
from runstream_consumers.runtime.consuming.partition_worker import PartitionWorker
from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.exceptions import ConsumptionStalled, RuntimeFault
from runstream_consumers.runtime.faults import POSTGRES_ERRORS, is_infrastructure_error
from runstream_consumers.runtime.kafka.client import Assignment, commit_lag_offsets, log_bounds
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection, Consumer, Context
from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.postgres.store import QUERIES, to_postgres_text
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.progress.shares import ShareLimits
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.runtime.topic_archive.topic_log import TopicLog
from runstream_schemas.topics import topic_name

log = logging.getLogger(__name__)

_FETCH_TIMEOUT_MS = 1_000
_REPORT_TIMEOUT_S = 2.0

Key = TypeVar("Key", bound="Hashable")


@dataclass(slots=True)
class Watchdog(Generic[Key]):
    """Knows since when each position below its end has not moved."""

    #: Seconds for which a position may stay the same while there are messages to read.
    patience: float
    _since: dict[Key, tuple[int, float]] = field(default_factory=dict)

    def observe(self, now: float, positions: Mapping[Key, int], ends: Mapping[Key, int]) -> Sequence[Key]:
        """Return the positions that have not moved for longer than ``patience``; ``now`` is monotonic seconds."""
        waiting = {key: position for key, position in positions.items() if position < ends.get(key, position)}
        self._since = {
            key: self._since[key] if self._since.get(key, (-1, 0.0))[0] == position else (position, now)
            for key, position in waiting.items()
        }
        return [key for key, (_, since) in self._since.items() if now - since > self.patience]

    def forget(self) -> None:
        """Start over, for example because nothing could be read for a known reason."""
        self._since.clear()


class ConsumeLoop:
    """Consumes for one consumer until cancelled."""

    def __init__(
        self,
        consumer: Consumer,
        context: Context,
        *,
        dsn: str,
        kafka: AIOKafkaConsumer,
        options: Options,
        archive: TopicArchive | None = None,
    ) -> None:
        self._consumer = consumer
        self._context = context
        self._dsn = dsn
        self._kafka = kafka
        self._options = options
        self._topics = {topic_name(context.prefix, topic): topic for topic in consumer.topics}
        self._log = TopicLog(kafka, archive, self._topics, timeout=options.request_timeout)
        self._assignment = Assignment()
        self._buffer = Buffer(options.buffer_bytes)
        self._breaker = CircuitBreaker(options.breaker_window, options.breaker_runs, options.breaker_share)
        self._shares = ShareLimits(options.run_seconds, options.batch_seconds, options.large_message)
        self._workers = [PartitionWorker(self._connect, self, self._buffer, options) for _ in range(options.workers)]

    async def run(self) -> None:
        """Consume until cancelled; raises errors that retrying does not resolve."""
        self._kafka.subscribe(topics=list(self._topics), listener=self._assignment)
        jobs = [self._fetch(), self._commit_lag(), self._watch_progress(), *(worker.run() for worker in self._workers)]
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise RuntimeFault(f"Consumer {self._context.name}: a task of the loop ended without an error")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for worker in self._workers:
                await worker.close()

    # --- the workers' PartitionSource

    async def bounds(self, number: int) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return the first offset, and the one after the last, of each topic in a partition number."""
        return await self._log.bounds(number)

    def seek(self, number: int, positions: Mapping[str, int]) -> None:
        """Continue at other offsets; messages fetched of those topics are discarded."""
        for name, offset in positions.items():
            self._buffer.discard(number, name)
            try:
                self._log.seek(TopicPartition(name, number), offset)
            except IllegalStateError:  # just revoked; the assignment will change soon
                log.debug("%s[%d] is no longer assigned", name, number)

    async def report_delay(self, number: int, error: Exception | None) -> None:
        """Store why a partition number is not processed now, or that it is, for the status of the stack."""
        name = self._context.name
        with contextlib.suppress(OSError, *POSTGRES_ERRORS):
            async with asyncio.timeout(_REPORT_TIMEOUT_S), self._context.connection() as connection:
                if error is None:
                    await connection.execute(QUERIES["forget_delay"], name, number)
                else:
                    reason = to_postgres_text(f"{type(error).__name__}: {error}")
                    await connection.execute(QUERIES["save_delay"], name, number, reason)

    # --- fetching

    async def _fetch(self) -> None:
        generation = -1
        while True:
            if generation != self._assignment.generation:
                generation = self._assignment.generation
                await self._reassign(self._assignment.partitions)
            if not await self._wait_until_ready(generation):
                continue
            await self._fetch_once(generation)

    async def _wait_until_ready(self, generation: int) -> bool:
        """Wait until positions are known and the buffer has space; return False if the assignment changed meanwhile."""
        while generation == self._assignment.generation:
            try:
                async with asyncio.timeout(_FETCH_TIMEOUT_MS / 1000):
                    for worker in self._workers:
                        await worker.wait_opened()
                    await self._buffer.wait_for_space()
            except TimeoutError:
                continue
            return True
        return False

    async def _fetch_once(self, generation: int) -> None:
        try:
            fetched = await self._log.fetch(_FETCH_TIMEOUT_MS)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
            if generation == self._assignment.generation:  # otherwise it concerns partitions that were just assigned
                log.warning("finding the positions again: %r", error)
                self._reopen()
            return
        except Exception as error:
            if not is_infrastructure_error(error):
                raise
            log.warning("waiting for a server: %r", error)
            await asyncio.sleep(self._options.initial_backoff)
            return
        if generation == self._assignment.generation:
            for partition, messages in fetched.items():
                self._buffer.put(partition.partition, messages)
                self._worker(partition.partition).wake()

    # --- assignment

    async def _reassign(self, partitions: Iterable[TopicPartition]) -> None:
        """Assign new sinks to the workers: memory is discarded whenever the assignment changes."""
        self._log.assigned()
        numbers = sorted({partition.partition for partition in partitions})
        if numbers:
            log.info("%s is assigned partitions %s", self._context.name, numbers)
        for index, worker in enumerate(self._workers):
            own = [number for number in numbers if number % len(self._workers) == index]
            for number, sink in worker.assign({number: self._sink(number) for number in own}).items():
                self._buffer.discard(number)
                await sink.close()

    def _reopen(self) -> None:
        for partition in self._assignment.partitions:
            self._worker(partition.partition).reopen([partition.partition])

    def _sink(self, number: int) -> Sink:
        return Sink(self._consumer, number, self._context, breaker=self._breaker, shares=self._shares)

    def _worker(self, number: int) -> PartitionWorker:
        return self._workers[number % len(self._workers)]

    async def _connect(self) -> Connection:
        return await connect(self._dsn, application=self._context.name, schema=self._context.name)

    # --- monitoring

    async def _commit_lag(self) -> None:
        """Commit the offsets to Kafka from time to time, so that the group's lag can be seen."""
        committed: dict[TopicPartition, int] = {}
        while True:
            await asyncio.sleep(self._options.lag_commit_interval)
            now = self._positions()
            changed = {partition: offset for partition, offset in now.items() if committed.get(partition) != offset}
            if changed and await commit_lag_offsets(self._kafka, changed, timeout=self._options.lag_commit_interval):
                committed |= changed

    async def _watch_progress(self) -> None:
        """Raise ConsumptionStalled if there are messages to read but none are read."""
        watchdog = Watchdog[TopicPartition](self._options.watchdog_timeout)
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._options.watchdog_interval)
            stored = self._positions()
            if not stored or any(worker.is_retrying or worker.is_catching_up for worker in self._workers):
                watchdog.forget()
                continue
            try:
                _, ends = await log_bounds(self._kafka, list(stored), timeout=self._options.request_timeout)
                positions = {
                    partition: await self._read_position(partition, offset) for partition, offset in stored.items()
                }
            except (KafkaError, OSError):
                watchdog.forget()
                continue
            if stuck := watchdog.observe(clock(), positions, ends):
                raise ConsumptionStalled(f"Nothing was read from {stuck} for {self._options.watchdog_timeout:.0f} s")

    async def _read_position(self, partition: TopicPartition, stored: int) -> int:
        """Return the position of reading; the last offsets of a log may be markers, which are never returned."""
        if self._buffer.has_messages(partition.partition):
            return stored
        async with asyncio.timeout(self._options.initial_backoff):
            return max(stored, await self._log.position(partition))

    def _positions(self) -> dict[TopicPartition, int]:
        return {
            partition: offset
            for worker in self._workers
            for (number, name), offset in worker.positions().items()
            if (partition := TopicPartition(name, number)) in self._assignment.partitions
        }
