"""Reading the raw messages of the topics, without a consumer group."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from runstream.cli.event_json import message_json
from runstream.exceptions import CommError
from runstream.server.connection import Connection
from runstream_schemas import values
from runstream_schemas.topics import RunPath, Topic, message_key, partition_of, topic_name

#: Seconds that the brokers have to answer.
_PATIENCE_S = 10.0
_POLL_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSelection:
    """Which messages are read."""

    topics: list[Topic]
    run: RunPath | None
    #: None for the end of the topics.
    since: datetime | None
    follow: bool


async def raw_lines(connection: Connection, selection: RawSelection) -> AsyncGenerator[str, None]:
    """Yield the messages as lines of JSON; without ``follow``, up to the present end of the topics."""
    """Yield the messages as lines of JSON; without ``follow``, up to the present end of the topics."""
    topics = {topic_name(connection.prefix, topic): topic for topic in selection.topics}
    run, count = selection.run, connection.partitions
    partitions = range(count) if run is None else [partition_of(run, count)]
    async with _consumer(connection.brokers) as consumer:
        ends = await _assign(consumer, topics, partitions, selection.since)
        while selection.follow or ends:
            batch = await _deadline(consumer.getmany(timeout_ms=_POLL_MS), connection.brokers)
            for place, messages in batch.items():
                for message in messages:
                    if selection.follow or message.offset < ends.get(place, 0):
                        found = message_json(topics[place.topic], message.value)
                        if selection.run is None or _is_of(selection.run, message, found):
                            yield values.dump({**_place(message), **found}) + "\n"
            for place in list(ends):
                if await consumer.position(place) >= ends[place]:
                    del ends[place]


@contextlib.asynccontextmanager
async def _consumer(brokers: str) -> AsyncIterator[Any]:
    """Provide a client without a consumer group, which leaves no trace."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest", client_id="runstream-tail"
    )
    try:
        await _deadline(consumer.start(), brokers)
        yield consumer
    finally:
        with contextlib.suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(consumer.stop(), _PATIENCE_S)


async def _assign(
    consumer: Any, topics: Mapping[str, Topic], partitions: Sequence[int], since: datetime | None
) -> dict[Any, int]:
    """Assign the partitions from a time on; return the ends of those that have messages to read until then."""
    known = await consumer.topics()
    places = [TopicPartition(name, partition) for name in topics if name in known for partition in partitions]
    consumer.assign(places)
    ends: dict[Any, int] = await consumer.end_offsets(places)
    begins: dict[Any, int] = await consumer.beginning_offsets(places)
    if since is None:
        begins = ends
    elif since.timestamp() > 0:
        stamps = {place: int(since.timestamp() * 1000) for place in places}
        found = await consumer.offsets_for_times(stamps)
        begins = {place: ends[place] if (at := found.get(place)) is None else at.offset for place in places}
    for place in places:
        consumer.seek(place, begins[place])
    return {place: end for place, end in ends.items() if begins[place] < end}


async def _deadline(awaitable: Any, brokers: str) -> Any:
    try:
        return await asyncio.wait_for(awaitable, _PATIENCE_S)
    except (TimeoutError, KafkaError, OSError) as error:
        raise CommError(f"Kafka at {brokers} does not answer ({type(error).__name__}: {error})") from error


def _is_of(run: RunPath, message: Any, found: dict[str, Any]) -> bool:
    """Return whether a message is of a run, by its key if it cannot be decoded."""
    event = found.get("event")
    return bool(message.key == message_key(run) if event is None else event["run"] == str(run))


def _place(message: Any) -> dict[str, Any]:
    moment = datetime.fromtimestamp(message.timestamp / 1000, tz=UTC).isoformat(timespec="milliseconds")
    place = {"topic": message.topic, "partition": message.partition, "offset": message.offset, "time": moment}
    return {**place, "size": len(message.value or b"")}
