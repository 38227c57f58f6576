"""What the runtime provides to a consumer, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Consumer, Context
from runstream_consumers.runtime.postgres.connection import open_connections
from runstream_consumers.runtime.registry import load_settings
from runstream_consumers.settings import ServerSettings


@asynccontextmanager
async def open_context(consumer: Consumer, settings: ServerSettings, options: Options) -> AsyncIterator[Context]:
    """Provide the context of a consumer until the block ends; connects to nothing before the first use."""
    name = consumer.name
    producer = KafkaProducer(settings.kafka, settings.prefix, timeout=options.request_timeout)
    async with open_connections(
        settings.postgres, application=name, schema=name, limit=options.background_connections
    ) as connections:
        try:
            yield Context(
                name=name,
                prefix=settings.prefix,
                partitions=settings.partitions,
                producer=producer,
                connection=connections,
                settings=load_settings(consumer),
            )
        finally:
            await producer.close()
