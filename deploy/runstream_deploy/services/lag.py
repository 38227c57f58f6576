"""How far each consumer has come: its lag, whether it moves, and what waits in its outbox.

Reads the tables ``sink_offset``, ``deferred``, ``delay`` and ``outbox`` of the schema ``runtime``. With ``quarantine``,
these are the only tables of the consumers that this package uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runstream_deploy.services.postgres import connected

#: A consumer that has not moved for so long although messages wait is stalled.
STALLED_S = 60.0

_NEXT = """select sink, topic, partition, next, extract(epoch from clock_timestamp() - moved)::float8 as idle
from runtime.sink_offset where topic = any($1)"""
_PARTITIONS = "select count(distinct partition) from runtime.sink_offset where sink = $1"
#: A process repeats a batch at least every 10 s or so; an older row is of a process that ended.
_DELAYS = "select sink, max(error) as error from runtime.delay where seen > now() - interval '1 minute' group by sink"
_UNSENT = """select sink, count(*) as messages, max(error) as error from runtime.outbox
where sent is null and error <> '' group by sink"""
_DEFERRED = "select sink, count(*) as messages from runtime.deferred where topic = any($1) group by sink"
#: Partitions of a consumer whose next message is looked at, and the limit of a look.
_LOOKS = 4
_LOOK_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """How far a consumer has come."""

    #: Messages that it has not stored yet, and how many of them are deferred.
    lag: int
    deferred: int = 0
    #: Seconds for which a partition has not moved although a message waited; 0 if there is none.
    stalled: float = 0.0
    #: The error of a service for which it waits; empty if it does not wait.
    delay: str = ""
    #: Messages to other systems of which the last attempt failed, and an error.
    unsent: int = 0
    unsent_error: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a consumer has come to in a partition."""

    sink: str
    partition: TopicPartition
    next: int
    #: Seconds since it last moved.
    idle: float
    end: int

    @property
    def lag(self) -> int:
        return max(self.end - self.next, 0)


async def read_consumption(
    brokers: str, dsn: str, topics: list[str], *, patience: float = STALLED_S
) -> Mapping[str, Consumption]:
    """Return how far each consumer has come; raise OSError if Kafka or Postgres does not answer.

    A consumer is stalled after ``patience`` seconds. The lag follows from the offsets that a consumer stores with its
    results, not from those committed to Kafka.
    """
    rows = await fetch(dsn, _NEXT, topics)
    delays = {row["sink"]: row["error"] for row in await fetch(dsn, _DELAYS)}
    unsent = {row["sink"]: row for row in await fetch(dsn, _UNSENT)}
    deferred = {row["sink"]: row["messages"] for row in await fetch(dsn, _DEFERRED, topics)}
    async with _connected(brokers) as kafka:
        ends = await _ends(kafka, {TopicPartition(row["topic"], row["partition"]) for row in rows})
        places: dict[str, list[_Place]] = defaultdict(list)
        for row in rows:
            partition = TopicPartition(row["topic"], row["partition"])
            places[row["sink"]].append(_Place(row["sink"], partition, row["next"], row["idle"], ends[partition]))
        return {
            sink: Consumption(
                lag=sum(place.lag for place in own) + deferred.get(sink, 0),
                deferred=deferred.get(sink, 0),
                stalled=await _stalled(kafka, own, patience),
                delay=delays.get(sink, ""),
                unsent=unsent[sink]["messages"] if sink in unsent else 0,
                unsent_error=unsent[sink]["error"] if sink in unsent else "",
            )
            for sink, own in places.items()
        }


async def assigned_partitions(dsn: str, sink: str) -> int:
    """Return the number of partitions with an offset of a consumer; OSError if Postgres does not answer."""
    return sum(row[0] for row in await fetch(dsn, _PARTITIONS, sink))


async def fetch(dsn: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Return the rows of a query; none if its tables do not exist yet. Raise OSError if Postgres does not answer."""
    missing = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedColumnError)
    async with connected(dsn) as connection:
        with contextlib.suppress(*missing):
            return list(await connection.fetch(query, *arguments))
    return []


@asynccontextmanager
async def _connected(brokers: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, request_timeout_ms=5000, enable_auto_commit=False, auto_offset_reset="none"
    )
    try:
        async with asyncio.timeout(20):
            await consumer.start()
            yield consumer
    except KafkaError as error:
        raise ConnectionError(str(error)) from error
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer, partitions: set[TopicPartition]) -> Mapping[TopicPartition, int]:
    return dict(await consumer.end_offsets(list(partitions))) if partitions else {}


async def _stalled(consumer: AIOKafkaConsumer, places: Iterable[_Place], patience: float) -> float:
    """Return for how many seconds a message has waited in a partition that has not moved meanwhile, the longest first.

    An idle partition does not move either; what counts is when its next message was appended.
    """
    still = sorted((place for place in places if place.lag and place.idle > patience), key=lambda place: -place.idle)
    waits = [min(place.idle, await _age(consumer, place)) for place in still[:_LOOKS]]
    return max((wait for wait in waits if wait > patience), default=0.0)


async def _age(consumer: AIOKafkaConsumer, place: _Place) -> float:
    """Return the seconds since the message at a place was appended."""
    loop = asyncio.get_running_loop()
    consumer.assign([place.partition])
    consumer.seek(place.partition, place.next)
    give_up = loop.time() + _LOOK_S
    while loop.time() < give_up:
        try:
            found = await consumer.getmany(timeout_ms=500, max_records=1)
        except KafkaError:
            return place.idle  # the message was deleted
        for (record,) in found.values():
            return max(0.0, time.time() - float(record.timestamp) / 1000)
    return 0.0
