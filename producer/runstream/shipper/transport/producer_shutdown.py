"""Closing an aiokafka producer without waiting for what it has in flight.

The only place that uses private attributes of aiokafka: ``stop()`` waits without a limit until everything is
acknowledged, and there is no public method that gives up. Written for aiokafka 0.12 to 0.14; with a version that lacks
these attributes, ``stop()`` is called with a time limit, and its internal task may continue until the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError


async def abandon_producer(producer: AIOKafkaProducer, timeout_s: float) -> None:
    """Close a producer, started or not, within about ``timeout_s`` seconds, without sending anything more.

    Messages in flight may or may not arrive.
    """
    sender = _sender_task(producer)
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(timeout_s):
            if sender is None:
                await producer.stop()
            else:
                sender.cancel()
                await producer.client.close()
    if sender is not None:
        sender.cancel()  # the first time, it waits for the request in flight, which may wait for a connection forever
        await asyncio.wait([sender], timeout=timeout_s)


def _sender_task(producer: Any) -> asyncio.Task[Any] | None:
    """Mark a producer as closed and return its internal task, or return None if it is not started or not known."""
    task = getattr(getattr(producer, "_sender", None), "sender_task", None)
    if not isinstance(task, asyncio.Task) or getattr(producer, "_closed", None) is not False:
        return None
    producer._closed = True  # noqa: SLF001 (else its destructor warns of an unclosed producer)
    return task
