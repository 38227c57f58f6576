"""A dry run: a consumer applies what it has not read yet in one transaction, which is rolled back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from runstream_consumers.runtime.consuming.catching_up import CatchUp
from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.context import open_context
from runstream_consumers.runtime.kafka.client import connected_reader
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection, Consumer
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.postgres.store import QUERIES
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.start_position import is_beginning, store_start
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.runtime.topic_archive.topic_log import TopicLog
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import Topic, topic_name


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
            TopicArchive.opened(settings) as archive,
        ):
            report = DryRunReport()
            topics = {topic_name(context.prefix, topic): topic for topic in consumer.topics}
            log = TopicLog(kafka, archive, topics, timeout=options.request_timeout)
            reading = CatchUp(kafka, log, options, report.read.update)
            breaker = CircuitBreaker(options.breaker_window, options.breaker_runs, options.breaker_share)
            sending_nothing = replace(context, producer=_NoProducer())
            for number in range(settings.partitions):
                sink = Sink(consumer, number, sending_nothing, breaker=breaker, runs_background=False)
                await reading.run(sink, connection, number, most=options.dry_run_messages)
            await _add_effects(report, connection, context.name)
    return report


async def _add_effects(report: DryRunReport, connection: Connection, name: str) -> None:
    """Add to the report what the transaction has changed so far."""
    for row in await connection.fetch(QUERIES["changed_tables"], name):
        report.tables[row["name"]] = (row["inserted"], row["updated"], row["deleted"])
    report.quarantined = [
        f"{row['topic']}[{row['partition']}] offset {row['offset']}: {row['reason']}"
        for row in await connection.fetch(QUERIES["new_quarantine"], name)
    ]
    rows = await connection.fetch(QUERIES["new_messages"], name)
    report.messages = [f"{row['key']} of {row['run']}: {row['message']}" for row in rows]
