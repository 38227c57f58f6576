"""Closing Kafka's clients while a broker does not answer: their stop() waits for it, and leaves everything open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)


async def close_consumer(consumer: AIOKafkaConsumer, timeout: float) -> None:
    """Leave the group if a broker answers within so many seconds, and disconnect in any case."""
    try:
        async with asyncio.timeout(timeout):
            await consumer.stop()
    except (KafkaError, OSError) as error:
        log.warning("left the group without an answer of Kafka within %.0f s: %r", timeout, error)
        # What was interrupted is not repeated: a second call begins with the next step, and waits for no broker.
        consumer._closed = False  # noqa: SLF001 - there is no public way
        with contextlib.suppress(KafkaError, OSError):
            async with asyncio.timeout(timeout):
                await consumer.stop()


async def close_producer(producer: AIOKafkaProducer, timeout: float) -> None:
    """Disconnect within about so many seconds; what was not acknowledged may or may not arrive."""
    sender = _sender_task(producer)
    with contextlib.suppress(KafkaError, OSError):
        async with asyncio.timeout(timeout):
            if sender is None:
                await producer.stop()
            else:
                sender.cancel()
                await producer.client.close()
    if sender is not None:
        sender.cancel()  # the first time, it waits for the request in flight, which may wait for a connection forever
        await asyncio.wait([sender], timeout=timeout)


def _sender_task(producer: Any) -> asyncio.Task[Any] | None:
    """Mark a producer as closed and return its internal task; None if it is not started."""
    task = getattr(getattr(producer, "_sender", None), "sender_task", None)
    if not isinstance(task, asyncio.Task) or getattr(producer, "_closed", None) is not False:
        return None
    producer._closed = True  # noqa: SLF001 - else its destructor warns of an unclosed producer
    return task
