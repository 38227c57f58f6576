"""Clients of Kafka are closed completely though the broker does not answer."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import KafkaError

from runstream_consumers.runtime.kafka.client import KafkaProducer
from runstream_schemas.codec import encode
from runstream_schemas.topics import Topic
from tests.integration.runtime.events import beat, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, consuming, settings_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.own_broker import OwnBroker


@pytest.fixture(autouse=True)
def everything_closed() -> Iterator[None]:
    """Look for open connections when the test ends, rather than in one of the next tests."""
    yield
    gc.collect()


async def test_a_consumer_disconnects_though_the_broker_does_not_answer(own_broker: OwnBroker, database: str) -> None:
    """A consumer that is stopped while it waits for the broker leaves no connection and no task."""
    before = asyncio.all_tasks()
    consumer = LedgerConsumer()
    async with consuming(consumer, settings_of(own_broker.kafka.address, "own", database)):
        await eventually_async(lambda: has_partitions(consumer, 2))
        own_broker.signal(signal.SIGSTOP)
    assert await are_running(before)


async def test_a_producer_disconnects_though_the_broker_does_not_answer(own_broker: OwnBroker) -> None:
    """A producer whose message is not acknowledged in time leaves no connection and no task."""
    before = asyncio.all_tasks()
    producer = KafkaProducer(own_broker.kafka.address, "own", timeout=10.0)
    message = encode(beat(run_in(0), writer(0)))
    await producer.send(Topic.HEARTBEAT, 0, message)
    own_broker.signal(signal.SIGSTOP)
    with pytest.raises((KafkaError, TimeoutError)):
        await producer.send(Topic.HEARTBEAT, 0, message)
    await producer.close()
    await eventually_async(lambda: are_running(before))  # the library repeats a request until its own time limit


async def are_running(tasks: set[asyncio.Task[Any]]) -> bool:
    """Return whether exactly these tasks are running."""
    return asyncio.all_tasks() == tasks


async def has_partitions(consumer: LedgerConsumer, count: int) -> bool:
    """Return whether so many partitions are assigned to the consumer."""
    return len(consumer.partitions) >= count
