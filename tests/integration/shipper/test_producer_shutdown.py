"""Closing an aiokafka producer without waiting for what it has in flight."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runstream.shipper.transport.producer_shutdown import _sender_task, abandon_producer


class LaterProducer:
    """A producer of a version of aiokafka without the known private attributes, whose stop() never returns."""

    def __init__(self) -> None:
        self.stopped = False

    async def stop(self) -> None:
        """Wait forever."""
        self.stopped = True
        await asyncio.Event().wait()


async def test_started_producer_is_closed(broker: str) -> None:
    """With the installed version, the internal task of the producer ends."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
    await producer.start()
    before = asyncio.all_tasks()

    await abandon_producer(producer, 5.0)

    assert len(asyncio.all_tasks()) < len(before)


async def test_private_attributes_exist(broker: str) -> None:
    """The installed version of aiokafka has the attributes that are used, so that nothing is left running."""
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    task = _sender_task(producer)

    assert task is not None
    task.cancel()
    await producer.client.close()


async def test_producer_that_did_not_start_is_closed() -> None:
    """A producer whose start failed is closed without an error."""
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(KafkaError):
        await producer.start()

    await abandon_producer(producer, 5.0)


async def test_unknown_version_is_stopped_within_the_limit() -> None:
    """Without the known attributes, stop() is called, and abandoned at the time limit."""
    producer: Any = LaterProducer()

    await abandon_producer(producer, 0.01)

    assert producer.stopped
