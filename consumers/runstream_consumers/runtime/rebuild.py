"""Rebuild a consumer's tables: drop them together with all progress, so that the topics are read again."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import asyncpg
from aiokafka import TopicPartition
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.kafka.client import connected_reader
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection, Consumer, declaration_of
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.postgres.store import QUERIES, SinkStore
from runstream_consumers.runtime.start_position import is_beginning, parse_start, start_offsets
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.runtime.topic_archive.topic_log import first_offsets
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import topic_name

log = logging.getLogger(__name__)

#: Longest wait for a batch that is being applied, and for the deletion.
_SECONDS = 600
_ATTEMPTS = 10


async def describe_rebuild(consumer: Consumer, settings: ServerSettings, options: Options) -> str:
    """Return what a rebuild deletes, and what it cannot restore because messages are gone from the topics."""
    async with connected(settings.postgres, application=consumer.name) as connection:
        tables = [row["name"] for row in await connection.fetch(QUERIES["tables_of_schema"], consumer.name)]
    names = [topic_name(settings.prefix, topic) for topic in consumer.topics]
    async with TopicArchive.opened(settings) as archive, connected_reader(settings.kafka, options) as kafka:
        partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
        starts = await first_offsets(kafka, archive, partitions, timeout=options.request_timeout)
    trimmed = sorted({partition.topic for partition, start in starts.items() if start > 0})
    lines = [
        f"Rebuild {consumer.name}: drop {', '.join(tables) or 'no tables'}, and read {', '.join(sorted(names))} again."
    ]
    if trimmed:
        lines.append(f"The oldest messages of {', '.join(trimmed)} were deleted: their results are not restored.")
    return "\n".join(lines)


async def reset(consumer: Consumer, settings: ServerSettings, options: Options, *, start: str | None) -> None:
    """Drop a consumer's tables and progress, create the tables, and store where to begin, in one transaction.

    Processes of the consumer that run meanwhile find that their offsets were moved, and begin again, too. What was
    sent or published stays recorded, so that it is not sent again. Raises RuntimeFault if ``start`` is not given for
    a consumer that does not begin at the start, and the errors of Kafka and Postgres.
    """
    position = start or declaration_of(consumer).start
    if start is None and not is_beginning(position):
        raise RuntimeFault(
            f"{consumer.name} begins at {position!r}: choose where the rebuild begins with --from start or --from TIME"
        )
    names = [topic_name(settings.prefix, topic) for topic in consumer.topics]
    partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
    offsets = await start_offsets(settings, partitions, parse_start(position), options)
    async with connected(settings.postgres, application=consumer.name) as connection:
        await migrate_all(connection, consumer)
        # Readers lock the same tables in an order of their own; Postgres then ends one of the transactions.
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(asyncpg.DeadlockDetectedError),
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        ):
            with attempt:
                await _reset(connection, consumer, offsets)
    log.info("%s is rebuilt from %s", consumer.name, position)


async def _reset(connection: Connection, consumer: Consumer, offsets: Mapping[TopicPartition, int]) -> None:
    names = sorted({partition.topic for partition in offsets})
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = '{_SECONDS}s'; set local statement_timeout = '{_SECONDS}s'")
        # Held by a process while it applies a batch. The rows stay: another process may wait for them.
        await connection.execute(QUERIES["lock_all_offsets"], consumer.name, timeout=_SECONDS)
        await _forget(connection, consumer.name)
        await migrate_all(connection, consumer)
        for number in sorted({partition.partition for partition in offsets}):
            store = SinkStore(sink=consumer.name, partition=number, topics=names)
            await store.make_offsets(connection, dict.fromkeys(names, 0))
            await store.reset_offsets(connection, {name: offsets[TopicPartition(name, number)] for name in names})


async def _forget(connection: Connection, sink: str) -> None:
    """Delete a sink's tables and all rows of the runtime about it, except its offsets and what it has sent."""
    await connection.execute(f'drop schema if exists "{sink}" cascade', timeout=_SECONDS)
    await connection.execute(QUERIES["forget_migrations"], sink)
    for row in await connection.fetch(QUERIES["tables_about_sinks"]):
        await connection.execute(f"delete from runtime.{row['name']} where sink = $1", sink, timeout=_SECONDS)  # noqa: S608 — names of our tables
