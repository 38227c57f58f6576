"""The queue between fetching and applying."""

from __future__ import annotations

import asyncio

import pytest

from runstream_consumers.runtime.consuming.buffer import Buffer
from runstream_consumers.runtime.kafka.messages import Message
from runstream_schemas.topics import Topic


def message(offset: int, size: int = 100, topic: Topic = Topic.LOG, partition: int = 0, time: int = 0) -> Message:
    """A message of a size."""
    return Message(topic, topic.value, partition, offset, time, b"x" * size)


def of_topic(topic: Topic, *times: int) -> list[Message]:
    """Messages of a topic that were received at some times."""
    return [message(offset, topic=topic, time=time) for offset, time in enumerate(times)]


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


async def test_batch_has_what_was_received_first() -> None:
    """Messages of several topics are returned in the order in which the brokers received them, up to a number."""
    buffer = Buffer(10_000)
    buffer.put(0, of_topic(Topic.LOG, 2, 4, 6, 8))
    buffer.put(0, of_topic(Topic.CONFIG, 1, 3, 5, 7))
    taken = [buffer.take(0, events=most, size=10_000) for most in (5, 9)]
    times = [{name: [one.append_time for one in own] for name, own in batch.items()} for batch in taken]
    assert times == [{"config": [1, 3, 5], "log": [2, 4]}, {"config": [7], "log": [6, 8]}]


async def test_topic_does_not_wait_for_the_backlog_of_another_one() -> None:
    """A batch has messages of each topic, even if another one has more that were received earlier."""
    buffer = Buffer(100_000)
    buffer.put(0, of_topic(Topic.LOG, *range(100)))
    buffer.put(0, of_topic(Topic.CONFIG, *range(1000, 1100)))
    batch = buffer.take(0, events=40, size=100_000)
    assert {name: len(own) for name, own in batch.items()} == {"log": 35, "config": 5}
