"""Where a new sink begins to read: the beginning of the topics, their end, or a point in time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from aiokafka import TopicPartition

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.kafka.client import connected_reader
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection, Consumer
from runstream_consumers.runtime.postgres.store import QUERIES, SinkStore
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.runtime.topic_archive.topic_log import offsets_since
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import topic_name

log = logging.getLogger(__name__)

BEGINNING = "beginning"
NOW = "now"
_BEGINNINGS = {BEGINNING, "start"}


def is_beginning(text: str) -> bool:
    """Return whether a start position is the beginning of the topics."""
    return text in _BEGINNINGS


def parse_start(text: str) -> int | None:
    """Return a start position as milliseconds since 1970, None for "now"; raises RuntimeFault if it is invalid."""
    if text in _BEGINNINGS | {NOW}:
        return None if text == NOW else 0
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise RuntimeFault(
            f"Invalid start position {text!r}: expected 'start', 'now', or a time such as 2026-11-28T12:00:00Z"
        )
    return int(time.timestamp() * 1000)


async def start_offsets(
    settings: ServerSettings, partitions: Sequence[TopicPartition], time: int | None, options: Options
) -> dict[TopicPartition, int]:
    """Return for each partition the first offset appended at or after a time, archived or not; the end for None."""
    async with TopicArchive.opened(settings) as archive, connected_reader(settings.kafka, options) as kafka:
        return await offsets_since(kafka, archive, partitions, time, timeout=options.request_timeout)


async def store_start(
    consumer: Consumer, settings: ServerSettings, connection: Connection, start: str, options: Options
) -> None:
    """Store where a new sink begins, for all partitions at once; the offsets of an existing sink do not change.

    Not needed for the beginning: a partition without offsets begins at its first one when it is opened.
    """
    time = parse_start(start)
    async with connection.transaction():
        await connection.execute(QUERIES["lock_sink"], consumer.name)
        if await connection.fetchval(QUERIES["sink_exists"], consumer.name):
            log.warning(
                "%s continues at its stored offsets: start position %s is not used. --rebuild begins again",
                consumer.name,
                start,
            )
            return
        names = [topic_name(settings.prefix, topic) for topic in consumer.topics]
        partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
        offsets = await start_offsets(settings, partitions, time, options)
        for number in range(settings.partitions):
            store = SinkStore(sink=consumer.name, partition=number, topics=names)
            await store.make_offsets(connection, {name: offsets[TopicPartition(name, number)] for name in names})
    log.info("%s is new and begins at %s", consumer.name, start)
