"""Publishing events, and running a consumer while a test reads what it stores."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_consumers.runtime.options import DEFAULT_OPTIONS
from runstream_consumers.runtime.process import consume
from runstream_consumers.settings import ServerSettings
from runstream_schemas.codec import encode
from runstream_schemas.topics import partition_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from runstream_consumers.runtime.options import Options
    from runstream_consumers.runtime.plugin import Connection, Consumer
    from runstream_schemas.events import Event

PARTITIONS = 2


async def feed(broker: str, prefix: str, events: Iterable[Event]) -> None:
    """Append events to their topics, each in the partition of its run."""
    producer = KafkaProducer(broker, prefix, timeout=10.0)
    try:
        for event in events:
            await producer.send(event.topic, partition_of(event.run, PARTITIONS), encode(event))
    finally:
        await producer.close()


@asynccontextmanager
async def consuming(
    consumer: Consumer, settings: ServerSettings, options: Options = DEFAULT_OPTIONS
) -> AsyncIterator[None]:
    """Run a consumer until the block ends; raise its error if it failed."""
    stop = asyncio.Event()
    task = asyncio.create_task(consume(consumer, settings, stop=stop, options=options))
    try:
        yield
    finally:
        stop.set()
        await task


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Connect to the database until the block ends."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


def settings_of(broker: str, prefix: str, database: str, **others: object) -> ServerSettings:
    """Return the settings of a consumer of two partitions."""
    return ServerSettings.model_validate(
        {"kafka": broker, "postgres": database, "prefix": prefix, "partitions": PARTITIONS, **others}
    )
