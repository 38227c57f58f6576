"""One consumer process: migrates the tables, waits for the topics, and consumes until it is stopped."""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaConsumer

from runstream_consumers.runtime.consuming.loop import ConsumeLoop
from runstream_consumers.runtime.consuming.redrive import RedriveResult, redrive
from runstream_consumers.runtime.context import open_context
from runstream_consumers.runtime.exceptions import TopicMismatch
from runstream_consumers.runtime.faults import retrying
from runstream_consumers.runtime.kafka.client import check_topics, make_consumer, start_timeout
from runstream_consumers.runtime.kafka.shutdown import close_consumer
from runstream_consumers.runtime.options import DEFAULT_OPTIONS, Options
from runstream_consumers.runtime.plugin import Consumer, declaration_of
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.start_position import is_beginning, parse_start, store_start
from runstream_consumers.runtime.stopping import until_stopped
from runstream_consumers.runtime.topic_archive.archive import TopicArchive
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import topic_name

log = logging.getLogger(__name__)


async def consume(
    consumer: Consumer,
    settings: ServerSettings,
    *,
    stop: asyncio.Event,
    options: Options = DEFAULT_OPTIONS,
    start: str | None = None,
) -> None:
    """Consume until ``stop`` is set; waits for servers that are unavailable.

    A new sink begins at ``start``, or where the consumer declares. Raises RuntimeFault, or unexpected errors of the
    consumer.
    """
    work = _consume(consumer, settings, options, start or declaration_of(consumer).start)
    await until_stopped(work, stop)


async def redrive_quarantine(
    consumer: Consumer, settings: ServerSettings, options: Options = DEFAULT_OPTIONS
) -> RedriveResult:
    """Apply the quarantined messages of a consumer again; raises the errors of Kafka and Postgres."""
    await prepare_tables(consumer, settings.postgres)
    async with (
        connected(settings.postgres, application=consumer.name, schema=consumer.name) as connection,
        open_context(consumer, settings, options) as context,
    ):
        return await redrive(consumer, context, connection)


async def prepare_tables(consumer: Consumer, dsn: str) -> None:
    """Bring the runtime's tables and the consumer's to their newest version."""
    async with connected(dsn, application=consumer.name) as connection:
        await migrate_all(connection, consumer)


async def _consume(consumer: Consumer, settings: ServerSettings, options: Options, start: str) -> None:
    parse_start(start)  # an invalid one is an error even while servers are unavailable
    retry = retrying(options)
    await retry(prepare_tables, consumer, settings.postgres)
    await retry(_wait_for_topics, consumer, settings, options)
    if not is_beginning(start):
        await retry(_store_start, consumer, settings, options, start)
    async with open_context(consumer, settings, options) as context, TopicArchive.opened(settings) as archive:
        kafka: AIOKafkaConsumer = await retry(_start, consumer, settings, options)
        try:
            await ConsumeLoop(
                consumer, context, dsn=settings.postgres, kafka=kafka, options=options, archive=archive
            ).run()
        finally:
            await close_consumer(kafka, options.close_timeout)


async def _store_start(consumer: Consumer, settings: ServerSettings, options: Options, start: str) -> None:
    async with connected(settings.postgres, application=consumer.name) as connection:
        await store_start(consumer, settings, connection, start, options)


async def _wait_for_topics(consumer: Consumer, settings: ServerSettings, options: Options) -> None:
    """Wait until the topics exist; they are created together with the stack."""
    names = [topic_name(settings.prefix, topic) for topic in consumer.topics]
    give_up = asyncio.get_running_loop().time() + options.topics_timeout
    while not await check_topics(settings.kafka, names, settings.partitions, request_timeout=options.request_timeout):
        if asyncio.get_running_loop().time() > give_up:
            raise TopicMismatch(f"Not all of these topics exist: {', '.join(sorted(names))}")
        log.info("waiting for the topics of %s", consumer.name)
        await asyncio.sleep(1.0)


async def _start(consumer: Consumer, settings: ServerSettings, options: Options) -> AIOKafkaConsumer:
    kafka = make_consumer(
        settings.kafka, group=f"{settings.prefix}.{consumer.name}", instance=settings.instance, options=options
    )
    try:
        async with asyncio.timeout(start_timeout(options.request_timeout)):
            await kafka.start()
    except BaseException:
        await close_consumer(kafka, options.close_timeout)
        raise
    return kafka
