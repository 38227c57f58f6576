"""One consumer process: migrates the tables, waits for the topics, and consumes until it is stopped."""

from __future__ import annotations

import asyncio
import logging

from aiokafka import AIOKafkaConsumer
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from runstream_consumers.runtime.consuming.loop import ConsumeLoop
from runstream_consumers.runtime.consuming.redrive import RedriveResult, redrive
from runstream_consumers.runtime.context import open_context
from runstream_consumers.runtime.exceptions import TopicMismatch
from runstream_consumers.runtime.faults import is_infrastructure_error
from runstream_consumers.runtime.kafka.client import check_topics, make_consumer
from runstream_consumers.runtime.options import DEFAULT_OPTIONS, Options
from runstream_consumers.runtime.plugin import Consumer, declaration_of
from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.start_position import BEGINNING, check_start, store_start
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
    work = asyncio.create_task(_consume(consumer, settings, options, start or declaration_of(consumer).start))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        work.cancel()
        [result] = await asyncio.gather(work, return_exceptions=True)
    if isinstance(result, Exception):
        raise result


async def redrive_quarantine(
    consumer: Consumer, settings: ServerSettings, options: Options = DEFAULT_OPTIONS
) -> RedriveResult:
    """Apply the quarantined messages of a consumer again; raises the errors of Kafka and Postgres."""
    await prepare_tables(consumer, settings.postgres)
    connection = await connect(settings.postgres, application=consumer.name, schema=consumer.name)
    try:
        async with open_context(consumer, settings, options) as context:
            return await redrive(consumer, context, connection)
    finally:
        connection.terminate()


async def prepare_tables(consumer: Consumer, dsn: str) -> None:
    """Bring the runtime's tables and the consumer's to their newest version."""
    connection = await connect(dsn, application=consumer.name)
    try:
        await migrate_all(connection, consumer)
    finally:
        connection.terminate()


async def _consume(consumer: Consumer, settings: ServerSettings, options: Options, start: str) -> None:
    check_start(start)
    retrying = _retrying(options)
    await retrying(prepare_tables, consumer, settings.postgres)
    await retrying(_wait_for_topics, consumer, settings, options)
    if start != BEGINNING:
        await retrying(_store_start, consumer, settings, options, start)
    async with open_context(consumer, settings, options) as context:
        kafka: AIOKafkaConsumer = await retrying(_start, consumer, settings, options)
        try:
            await ConsumeLoop(consumer, context, dsn=settings.postgres, kafka=kafka, options=options).run()
        finally:
            await _stop(kafka, options.close_timeout)


async def _store_start(consumer: Consumer, settings: ServerSettings, options: Options, start: str) -> None:
    connection = await connect(settings.postgres, application=consumer.name)
    try:
        await store_start(consumer, settings, connection, start, options)
    finally:
        connection.terminate()


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
        async with asyncio.timeout(options.request_timeout):
            await kafka.start()
    except BaseException:
        await _stop(kafka, options.close_timeout)
        raise
    return kafka


async def _stop(kafka: AIOKafkaConsumer, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await kafka.stop()
    except TimeoutError:
        log.warning("closing the connection to Kafka took longer than %.0f s", timeout)


def _retrying(options: Options) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception(is_infrastructure_error),
        wait=wait_random_exponential(multiplier=options.initial_backoff, max=options.max_backoff),
        before_sleep=_log_retry,
        reraise=True,
    )


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("waiting for a server (attempt %d): %s: %s", state.attempt_number, type(error).__name__, error)
