"""Fetched messages that wait for their partition's turn; limited by size."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

from runstream_consumers.runtime.kafka.messages import Message

#: A topic has at least this part of a batch if it has as many messages: one eighth.
_SHARES = 8


class Buffer:
    """Queues of messages by partition number and topic, each in the order of its topic."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[int, dict[str, deque[Message]]] = {}
        self._bytes = 0
        self._space = asyncio.Event()
        self._space.set()

    def put(self, number: int, messages: Sequence[Message]) -> None:
        """Add messages; one fetch may exceed the limit."""
        queues = self._queues.setdefault(number, {})
        for message in messages:
            queues.setdefault(message.topic_name, deque()).append(message)
        self._count(sum(message.size for message in messages))

    def take(self, number: int, *, events: int, size: int) -> dict[str, list[Message]]:
        """Remove and return a batch by topic name; at least one message if there is any.

        They are those that the brokers received first, so that a batch has what runs began with on several topics. Each
        topic has a share nevertheless: what is new on one does not wait until a long backlog of another one is read.
        """
        batch: dict[str, list[Message]] = {}
        taken = 0
        waiting = list(filter(None, self._queues.get(number, {}).values()))
        for count, queue in enumerate(_turns(waiting, events // _SHARES)):
            message = queue[0]
            if count == events or (count and taken + message.size > size):
                break
            batch.setdefault(message.topic_name, []).append(queue.popleft())
            taken += message.size
        self._count(-taken)
        return batch

    def discard(self, number: int, topic_name: str | None = None) -> None:
        """Remove the messages of a partition, of one topic or of all."""
        queues = self._queues.get(number, {})
        for name in [topic_name] if topic_name is not None else list(queues):
            self._count(-sum(message.size for message in queues.pop(name, ())))

    def has_messages(self, number: int) -> bool:
        """Return whether messages of a partition are waiting."""
        return any(self._queues.get(number, {}).values())

    async def wait_for_space(self) -> None:
        """Wait until the buffer is below its limit."""
        await self._space.wait()

    def _count(self, change: int) -> None:
        self._bytes += change
        if self._bytes < self._limit:
            self._space.set()
        else:
            self._space.clear()


def _turns(waiting: list[deque[Message]], share: int) -> Iterator[deque[Message]]:
    """Yield the queue of the next message, which is removed before the following one: shares first, then by time."""
    for queue in waiting:
        for _ in range(min(share, len(queue))):
            yield queue
    while waiting := list(filter(None, waiting)):
        yield waiting[0] if len(waiting) == 1 else min(waiting, key=_time_of_first)


def _time_of_first(queue: deque[Message]) -> int:
    return queue[0].append_time
