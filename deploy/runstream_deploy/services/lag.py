"""The lag of each consumer: the messages that it has not stored yet.

Reads the offsets in the table ``runtime.sink_offset``, the only table of the consumers that this package uses.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

_NEXT = "select sink, topic, partition, next from runtime.sink_offset where topic = any($1)"
_PARTITIONS = "select count(distinct partition) from runtime.sink_offset where sink = $1"


async def read_lag(brokers: str, dsn: str, topics: list[str]) -> Mapping[str, int]:
    """Return the number of messages that each consumer has not stored yet.

    It follows from the offset that a consumer stores with its results, not from the one committed to Kafka.

    Raises:
        OSError: Kafka or Postgres does not answer.
    """
    rows = await _fetch(dsn, _NEXT, topics)
    partitions = {TopicPartition(topic, partition) for _, topic, partition, _ in rows}
    ends = await _ends(brokers, partitions)
    lag: dict[str, int] = defaultdict(int)
    for sink, topic, partition, following in rows:
        lag[sink] += max(ends[TopicPartition(topic, partition)] - following, 0)
    return dict(lag)


async def assigned_partitions(dsn: str, sink: str) -> int:
    """Return the number of partitions with an offset of a consumer; OSError if Postgres does not answer."""
    rows = await _fetch(dsn, _PARTITIONS, sink)
    return int(rows[0][0]) if rows else 0


async def _fetch(dsn: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    try:
        connection = await asyncpg.connect(dsn, timeout=5, command_timeout=5)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close(timeout=5)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        # No consumer has created its tables yet.
        return []
    except asyncpg.PostgresError as error:
        raise ConnectionError(str(error)) from error


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
