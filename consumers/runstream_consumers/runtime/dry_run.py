"""A dry run: a consumer applies what it has not read yet in one transaction, which is rolled back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.context import open_context
from runstream_consumers.runtime.kafka.client import connected_reader, topic_bounds
from runstream_consumers.runtime.kafka.messages import Message, message_from
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection, Consumer, Context
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.postgres.store import QUERIES
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.start_position import is_beginning, store_start
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import Topic, topic_name

_POLL_MS = 1_000


@dataclass(slots=True)
class DryRunReport:
    """What a consumer would do."""

    #: Messages read, by topic name.
    read: Counter[str] = field(default_factory=Counter)
    #: Rows inserted, updated and deleted, by table.
    tables: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    #: Messages that would be quarantined: their coordinates and the reason.
    quarantined: list[str] = field(default_factory=list)
    #: Messages that would be sent to other systems: run, key and text.
    messages: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the report that is printed."""
        lines = ["Dry run: nothing was stored."]
        lines += [f"read {count} messages of {name}" for name, count in sorted(self.read.items())]
        lines += [
            f"{name}: {inserted} rows inserted, {updated} updated, {deleted} deleted"
            for name, (inserted, updated, deleted) in sorted(self.tables.items())
        ]
        lines += [f"quarantined {line}" for line in self.quarantined]
        lines += [f"would send {line}" for line in self.messages]
        return "\n".join(lines)


class _NoProducer:
    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Send nothing."""


async def dry_run(consumer: Consumer, settings: ServerSettings, options: Options, *, start: str) -> DryRunReport:
    """Return what a consumer would do with the messages it has not read, up to ``dry_run_messages`` per partition.

    Migrations run in the same transaction. Rows of the consumer's tables stay locked until the end, so a consumer that
    runs at the same time waits. Background work is not started.
    """
    async with connected(settings.postgres, application="dry run", schema=consumer.name) as connection:
        # Never committed: closing the connection rolls it back.
        await connection.transaction().start()
        await migrate_all(connection, consumer)
        if not is_beginning(start):
            await store_start(consumer, settings, connection, start, options)
        async with (
            open_context(consumer, settings, options) as context,
            connected_reader(settings.kafka, options) as kafka,
        ):
            run = _DryRun(replace(context, producer=_NoProducer()), kafka, connection, options)
            for number in range(settings.partitions):
                await run.apply_partition(consumer, number)
            await run.add_effects()
    return run.report


@dataclass(slots=True)
class _DryRun:
    """Applies messages on a connection whose transaction is never committed."""

    context: Context
    kafka: AIOKafkaConsumer
    connection: Connection
    options: Options
    report: DryRunReport = field(default_factory=DryRunReport)

    async def apply_partition(self, consumer: Consumer, number: int) -> None:
        """Apply what a partition number has from the stored offsets on."""
        options = self.options
        topics = {topic_name(self.context.prefix, topic): topic for topic in consumer.topics}
        breaker = CircuitBreaker(options.breaker_window, options.breaker_runs, options.breaker_share)
        sink = Sink(consumer, number, self.context, breaker=breaker, runs_background=False)
        starts, ends = await topic_bounds(self.kafka, topics, number, timeout=options.request_timeout)
        positions = await sink.open(self.connection, starts, ends)
        while sink.deferred_bytes:
            await sink.apply_deferred(self.connection)
        log_ends = {TopicPartition(name, number): end for name, end in ends.items()}
        self.kafka.assign(list(log_ends))
        for partition in log_ends:
            self.kafka.seek(partition, positions[partition.topic])
        left = options.dry_run_messages
        while left > 0 and any([await self.kafka.position(partition) < end for partition, end in log_ends.items()]):
            fetched = await self.kafka.getmany(timeout_ms=_POLL_MS, max_records=min(left, options.batch_events))
            batch = {
                partition.topic: [message_from(topics[partition.topic], record) for record in records]
                for partition, records in fetched.items()
            }
            await self._apply(sink, batch)
            left -= sum(map(len, batch.values()))

    async def add_effects(self) -> None:
        """Add to the report what the transaction has changed so far."""
        name = self.context.name
        for row in await self.connection.fetch(QUERIES["changed_tables"], name):
            self.report.tables[row["name"]] = (row["inserted"], row["updated"], row["deleted"])
        self.report.quarantined = [
            f"{row['topic']}[{row['partition']}] offset {row['offset']}: {row['reason']}"
            for row in await self.connection.fetch(QUERIES["new_quarantine"], name)
        ]
        self.report.messages = [
            f"{row['key']} of {row['run']}: {row['message']}"
            for row in await self.connection.fetch(QUERIES["new_messages"], name)
        ]

    async def _apply(self, sink: Sink, batch: Mapping[str, Sequence[Message]]) -> None:
        """Apply a batch; offsets that the log does not have are skipped."""
        self.report.read.update({name: len(messages) for name, messages in batch.items()})
        while batch and (gaps := (await sink.apply_batch(self.connection, batch)).gaps):
            for name, missing in gaps.items():
                await sink.skip(self.connection, name, missing, "not in the log")
