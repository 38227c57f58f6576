"""The lag of each consumer: the messages that it has not stored yet.

Reads the offsets in the table ``runtime.sink_offset``, the only table of the consumers that this package uses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runstream_deploy.services.postgres import connected

_NEXT = "select sink, topic, partition, next from runtime.sink_offset where topic = any($1)"
_PARTITIONS = "select count(distinct partition) from runtime.sink_offset where sink = $1"


async def read_lag(brokers: str, dsn: str, topics: list[str]) -> Mapping[str, int]:
    """Return the messages that each consumer has not stored yet; raise OSError if Kafka or Postgres does not answer.

    Their number follows from the offset that a consumer stores with its results, not from the one committed to Kafka.
    """
    rows = await _fetch(dsn, _NEXT, topics)
    ends = await _ends(brokers, {TopicPartition(topic, partition) for _, topic, partition, _ in rows})
    lag: dict[str, int] = defaultdict(int)
    for sink, topic, partition, following in rows:
        lag[sink] += max(ends[TopicPartition(topic, partition)] - following, 0)
    return lag


async def assigned_partitions(dsn: str, sink: str) -> int:
    """Return the number of partitions with an offset of a consumer; OSError if Postgres does not answer."""
    return sum(row[0] for row in await _fetch(dsn, _PARTITIONS, sink))


async def _fetch(dsn: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    async with connected(dsn) as connection:
        # Else no consumer has created its tables yet.
        with contextlib.suppress(asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return list(await connection.fetch(query, *arguments))
    return []


async def _ends(brokers: str, partitions: set[TopicPartition]) -> Mapping[TopicPartition, int]:
    if not partitions:
        return {}
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, request_timeout_ms=5000, enable_auto_commit=False)
    try:
        async with asyncio.timeout(10):
            await consumer.start()
            return dict(await consumer.end_offsets(list(partitions)))
    except KafkaError as error:
        raise ConnectionError(str(error)) from error
    finally:
        await consumer.stop()
