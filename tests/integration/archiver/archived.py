"""An archive of the topics of a test."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream_consumers.archiver.process import writable
from runstream_consumers.archiver.settings import ArchiverSettings
from runstream_consumers.archiver.trimming import plan_trim, trim
from runstream_consumers.runtime.topic_archive.archive import read_chunk
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage
from runstream_consumers.runtime.topic_archive.manifest import QUERIES, Chunk
from runstream_deploy.services.object_store import ensure_bucket
from runstream_schemas.topics import Topic, topic_name

if TYPE_CHECKING:
    from runstream_consumers.archiver.trimming import PartitionTrim
    from runstream_consumers.settings import ServerSettings
    from runstream_deploy.services.object_store import ObjectStore as Server

#: After all messages.
NOW = 2**60

Messages = dict[TopicPartition, list[ArchivedMessage]]


async def archiver_settings(broker: str, prefix: str, database: str, server: Server, **given: Any) -> ArchiverSettings:
    """Return the settings of an archiver of the test's topics, with a new bucket."""
    bucket = f"t{uuid.uuid4().hex[:12]}"
    await ensure_bucket(server.client(), bucket)
    values: dict[str, Any] = {
        "kafka": broker,
        "postgres": database,
        "prefix": prefix,
        "partitions": 2,
        "s3_endpoint": server.endpoint,
        "s3_access_key": server.access_key,
        "s3_secret_key": server.secret_key,
        "s3_bucket": bucket,
    }
    return ArchiverSettings(**(values | given))


def environment_of(settings: ServerSettings) -> dict[str, str]:
    """Return the variables of a process with the settings."""
    names = ("kafka", "postgres", "prefix", "partitions", "s3_endpoint", "s3_access_key", "s3_secret_key", "s3_bucket")
    return {f"RUNSTREAM_{name.upper()}": str(getattr(settings, name)) for name in names}


async def trim_all(settings: ServerSettings) -> list[PartitionTrim]:
    """Delete from the topics whatever is archived."""
    async with writable(settings) as chunks:
        return await trim(settings, chunks, await plan_trim(settings, chunks, before=NOW))


async def archived_messages(settings: ServerSettings) -> Messages:
    """Return what the archive has, after checking that its chunks follow each other."""
    found: Messages = {}
    stops: dict[TopicPartition, int] = {}
    async with writable(settings) as chunks:
        names = [topic_name(settings.prefix, topic) for topic in Topic]
        for row in await chunks.connection.fetch(QUERIES["all_chunks"], names):
            chunk = Chunk.of(row)
            messages = await read_chunk(chunks.store, chunk)
            partition = TopicPartition(chunk.topic, chunk.partition)
            assert chunk.first <= messages[0].offset <= messages[-1].offset < chunk.stop
            assert chunk.first == stops.get(partition, chunk.first)
            stops[partition] = chunk.stop
            found.setdefault(partition, []).extend(messages)
    return found


async def topic_messages(settings: ServerSettings) -> Messages:
    """Return what the topics have."""
    names = [topic_name(settings.prefix, topic) for topic in Topic]
    partitions = [TopicPartition(name, number) for name in names for number in range(settings.partitions)]
    kafka = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await kafka.start()
    found: Messages = {}
    try:
        kafka.assign(partitions)
        await kafka.seek_to_beginning()
        ends = await kafka.end_offsets(partitions)
        while any([await kafka.position(one) < end for one, end in ends.items()]):
            for partition, records in (await kafka.getmany(timeout_ms=500)).items():
                found.setdefault(partition, []).extend(
                    ArchivedMessage(one.offset, one.timestamp, one.timestamp_type, one.key, one.value, one.headers)
                    for one in records
                )
    finally:
        await kafka.stop()
    return found
