"""The queue between fetching and applying."""

from __future__ import annotations

import asyncio

import pytest

from runstream_consumers.runtime.consuming.buffer import Buffer
from runstream_consumers.runtime.kafka.messages import Message
from runstream_schemas.topics import Topic


def message(offset: int, size: int = 100, topic: Topic = Topic.LOG, partition: int = 0) -> Message:
    """A message of a size."""
    return Message(topic, topic.value, partition, offset, 0, b"x" * size)


async def test_batches_are_in_order_and_limited() -> None:
    """Messages are returned in the order of arrival, up to a number and a size."""
    buffer = Buffer(10_000)
    buffer.put(0, [message(offset) for offset in range(5)])
    taken = [
        [item.offset for item in buffer.take(0, events=2, size=10_000)["log"]],
        [item.offset for item in buffer.take(0, events=9, size=700)["log"]],
        [item.offset for item in buffer.take(0, events=9, size=10_000)["log"]],
    ]
    assert taken == [[0, 1], [2, 3], [4]]
    assert not buffer.has_messages(0)
    assert buffer.take(0, events=9, size=10_000) == {}


async def test_message_larger_than_a_batch_is_returned_alone() -> None:
    """The first message is returned whatever its size."""
    buffer = Buffer(10_000)
    buffer.put(0, [message(0, 5000), message(1)])
    assert [item.offset for item in buffer.take(0, events=9, size=10)["log"]] == [0]


async def test_full_buffer_blocks_fetching() -> None:
    """There is space again after enough messages were removed or discarded."""
    buffer = Buffer(1000)
    buffer.put(0, [message(0, 600), message(1, 600, Topic.CONFIG)])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(buffer.wait_for_space(), 0.01)
    buffer.take(0, events=1, size=10_000)
    await asyncio.wait_for(buffer.wait_for_space(), 1)
    buffer.put(1, [message(0, 900, partition=1)])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(buffer.wait_for_space(), 0.01)
    buffer.discard(1)
    await asyncio.wait_for(buffer.wait_for_space(), 1)


async def test_one_topic_can_be_discarded_alone() -> None:
    """Discarding the messages of a topic keeps those of other topics."""
    buffer = Buffer(10_000)
    buffer.put(0, [message(0), message(0, topic=Topic.CONFIG), message(1)])
    buffer.discard(0, "log")
    assert list(buffer.take(0, events=9, size=10_000)) == ["config"]
