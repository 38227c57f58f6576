"""Waiting until the consumers have read what the brokers had when it was asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runstream_consumers.api.problems import Unavailable
from runstream_consumers.runtime.registry import resume_readers
from runstream_schemas.topics import RunPath, partition_of, topic_name

if TYPE_CHECKING:
    from runstream_consumers.api.services import Services

_ASK_S = 5.0
_POLL_S = 0.05
_STORED = "select sink, topic, next from runtime.sink_offset where partition = $1 and sink = any($2::text[])"

#: The spans of the topics by their full names: first offset, and the one behind the last.
Spans = dict[str, tuple[int, int]]


async def caught_up(services: Services, run: RunPath, *, within_s: float) -> None:
    """Wait until everything of a run that the brokers have by now is stored by its readers.

    Raises Unavailable where Kafka does not answer, or the readers are further behind than they make up in time.
    """
    partition = partition_of(run, services.settings.partitions)
    spans = await _spans(services.settings.kafka, services.settings.prefix, partition)
    try:
        async with asyncio.timeout(within_s):
            while behind := await _behind(services, partition, spans):  # noqa: ASYNC110 - other processes store it
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Unavailable("behind", f"Consumers are behind the brokers: {', '.join(behind)}. Ask again.") from None


async def _behind(services: Services, partition: int, spans: Spans) -> list[str]:
    """Return the readers that have not come to the end."""
    async with services.database.connection() as connection:
        rows = await connection.fetch(_STORED, partition, list(resume_readers()))
    stored = {(row["sink"], row["topic"]): row["next"] for row in rows}
    late = []
    for sink, topics in resume_readers().items():
        for topic in topics:
            name = topic_name(services.settings.prefix, topic)
            first, end = spans[name]
            if stored.get((sink, name), first) < end:
                late.append(f"{sink} in {name}")
    return late


async def _spans(brokers: str, prefix: str, partition: int) -> Spans:
    """Ask the brokers what a partition of the topics holds."""
    topics = {topic for topics in resume_readers().values() for topic in topics}
    places = [TopicPartition(topic_name(prefix, topic), partition) for topic in topics]
    client = AIOKafkaConsumer(
        bootstrap_servers=brokers, client_id="runstream-api", request_timeout_ms=int(_ASK_S * 1000)
    )
    try:
        async with asyncio.timeout(_ASK_S):
            await client.start()
            first = await client.beginning_offsets(places)
            end = await client.end_offsets(places)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable("kafka_unreachable", f"Kafka does not answer at {brokers}.") from error
    finally:
        await client.stop()
    return {place.topic: (first[place], end[place]) for place in places}
