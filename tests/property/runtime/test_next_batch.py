"""Messages of several topics are applied in the order in which the brokers received them."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.runtime.consuming.catching_up import next_batch
from runstream_consumers.runtime.kafka.messages import Message
from runstream_schemas.topics import Topic

_TOPICS = (Topic.LOG, Topic.CONFIG, Topic.HEARTBEAT)
_LOGS = st.lists(st.lists(st.integers(min_value=0, max_value=9), max_size=8).map(sorted), min_size=3, max_size=3)


def _messages(number: int, times: list[int]) -> list[Message]:
    topic = _TOPICS[number]
    return [Message(topic, topic.value, 0, offset, time, b"x") for offset, time in enumerate(times)]


@given(_LOGS, st.data())
def test_batches_are_in_the_order_of_append(logs: list[list[int]], data: st.DataObject) -> None:
    """Whatever is fetched when, each message is applied once, in its topic's order, and none before an earlier one."""
    left = {_TOPICS[number].value: deque(_messages(number, times)) for number, times in enumerate(logs)}
    waiting: dict[str, deque[Message]] = {name: deque() for name in left}
    applied: list[Message] = []
    latest = -1
    while behind := [name for name in left if left[name] or waiting[name]]:
        batch = next_batch(waiting, behind, data.draw(st.integers(min_value=1, max_value=4)), 10_000)
        found = [message for own in batch.values() for message in own]
        if not found:
            empty = next(name for name in behind if not waiting[name])
            waiting[empty].extend(left[empty].popleft() for _ in range(min(len(left[empty]), 3)))
            continue
        assert min(message.append_time for message in found) >= latest
        latest = max(message.append_time for message in found)
        applied += found
    for number, times in enumerate(logs):
        assert [one for one in applied if one.topic is _TOPICS[number]] == _messages(number, times)
