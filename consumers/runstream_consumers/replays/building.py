"""Builds a consumer's tables under another name, from the topic archive and the topics."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from aiokafka import TopicPartition

from runstream_consumers.runtime.consuming.catching_up import CatchUp
from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.context import open_context
from runstream_consumers.runtime.faults import is_infrastructure_error, retrying
from runstream_consumers.runtime.kafka.client import connected_reader
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection, Consumer, Context, Partition, declaration_of
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all, read_migrations
from runstream_consumers.runtime.postgres.queries import load_queries
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.progress.shares import ShareLimits
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.runtime.topic_archive.topic_log import TopicLog
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import Topic, topic_name

QUERIES = load_queries(files("runstream_consumers.replays") / "queries.sql")

#: Longest wait for the deletion of tables.
_DROP_S = 600
#: Partition numbers that are built at the same time: one decodes while another waits for the database.
_WORKERS = 2

Positions = Mapping[TopicPartition, int]


def replay_name(consumer: str) -> str:
    """Return the name of the sink, and of the schema, in which the tables of a consumer are built."""
    return f"{consumer}_replay"


class Replayed:
    """A consumer under the name of its replay."""

    def __init__(self, consumer: Consumer) -> None:
        self.original = consumer
        self.name = replay_name(consumer.name)
        self.topics: frozenset[Topic] = consumer.topics
        self.migrations = consumer.migrations
        self.declaration = declaration_of(consumer)

    def partition(self, number: int, context: Context) -> Partition:
        """Return the work on one partition number."""
        return self.original.partition(number, context)


def build_version(consumer: Consumer) -> str:
    """Return what tables are built with: the release, the consumer's source files and its migrations."""
    digest = hashlib.sha256(version("runstream").encode())
    module = sys.modules[getattr(consumer, "__wrapped__", type(consumer)).__module__]
    source = Path(str(module.__file__))
    own = sorted(source.parent.rglob("*.py")) if (source.parent / "__init__.py").exists() else [source]
    for text in [*(file.read_text() for file in own), *(one.text for one in read_migrations(consumer.migrations))]:
        digest.update(text.encode())
    return digest.hexdigest()[:16]


async def positions(connection: Connection, sink: str) -> dict[TopicPartition, int]:
    """Return the next offset of each partition of a sink."""
    rows = await connection.fetch(QUERIES["positions"], sink)
    return {TopicPartition(row["topic"], row["partition"]): row["next"] for row in rows}


@dataclass(slots=True)
class Building:
    """Builds the tables of one consumer; background work, such as sending messages, does not run."""

    consumer: Replayed
    settings: ServerSettings
    options: Options
    #: Called with the number of messages that were applied.
    advance: Callable[[int], None]
    _breaker: CircuitBreaker = field(init=False)

    def __post_init__(self) -> None:
        """Count failures over all partitions."""
        self._breaker = CircuitBreaker(
            self.options.breaker_window, self.options.breaker_runs, self.options.breaker_share
        )

    async def prepare(self, connection: Connection) -> None:
        """Create the tables, or bring them to the newest version."""
        await migrate_all(connection, self.consumer)

    async def run(self, ends: Positions) -> None:
        """Apply all messages up to the given offsets; waits for servers that are unavailable.

        Raises RuntimeFault, and unexpected errors of the consumer. What was applied stays.
        """
        numbers = sorted({partition.partition for partition in ends}, reverse=True)
        async with (
            open_context(self.consumer, self.settings, self.options) as context,
            TopicArchive.opened(self.settings) as archive,
        ):
            work = [asyncio.create_task(self._work(numbers, ends, context, archive)) for _ in range(_WORKERS)]
            try:
                await asyncio.gather(*work)
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)

    async def _work(self, numbers: list[int], ends: Positions, context: Context, archive: TopicArchive | None) -> None:
        while numbers:
            number = numbers.pop()
            own = {partition.topic: end for partition, end in ends.items() if partition.partition == number}
            await retrying(self.options, is_infrastructure_error)(self._build, number, own, context, archive)

    async def _build(
        self, number: int, ends: Mapping[str, int], context: Context, archive: TopicArchive | None
    ) -> None:
        sink = Sink(
            self.consumer,
            number,
            context,
            breaker=self._breaker,
            shares=ShareLimits(self.options.run_seconds, self.options.batch_seconds, self.options.large_message),
            runs_background=False,
        )
        topics = {topic_name(self.settings.prefix, topic): topic for topic in self.consumer.topics}
        name = self.consumer.name
        async with (
            connected_reader(self.settings.kafka, self.options) as kafka,
            connected(self.settings.postgres, application=name, schema=name) as connection,
        ):
            log = TopicLog(kafka, archive, topics, timeout=self.options.request_timeout)
            reading = CatchUp(kafka, log, self.options, lambda counts: self.advance(sum(counts.values())))
            await reading.run(sink, connection, number, ends)


async def discard(connection: Connection, consumer: str) -> None:
    """Delete the tables and all progress of an unfinished replay; does nothing if there is none."""
    name = replay_name(consumer)
    async with connection.transaction():
        await connection.execute(f'drop schema if exists "{name}" cascade', timeout=_DROP_S)
        await connection.execute("delete from runtime.migration where schema = $1", name)
        for table in await sink_tables(connection, everything=True):
            await connection.execute(f"delete from runtime.{table} where sink = $1", name, timeout=_DROP_S)  # noqa: S608 — names of our tables
        await connection.execute(QUERIES["remove_replay"], consumer)


async def sink_tables(connection: Connection, *, everything: bool = False) -> Sequence[str]:
    """Return the tables of the runtime with rows of sinks; without those that a replay keeps, unless ``everything``."""
    names = [row["name"] for row in await connection.fetch(QUERIES["sink_tables"])]
    return [*names, "sink_offset", "published", "outbox"] if everything else names
