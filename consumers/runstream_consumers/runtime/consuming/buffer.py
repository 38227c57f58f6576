"""Fetched messages that wait for their partition's turn; limited by size."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from runstream_consumers.runtime.kafka.messages import Message


class Buffer:
    """Queues of messages by partition number, each in order of arrival."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[int, deque[Message]] = {}
        self._bytes = 0
        self._space = asyncio.Event()
        self._space.set()

    def put(self, number: int, messages: Sequence[Message]) -> None:
        """Add messages; one fetch may exceed the limit."""
        self._queues.setdefault(number, deque()).extend(messages)
        self._count(sum(message.size for message in messages))

    def take(self, number: int, *, events: int, size: int) -> dict[str, list[Message]]:
        """Remove and return the first messages, by topic name; at least one if there is any."""
        queue = self._queues.get(number, deque())
        batch: dict[str, list[Message]] = {}
        taken = count = 0
        while queue and count < events and (count == 0 or taken + queue[0].size <= size):
            message = queue.popleft()
            batch.setdefault(message.topic_name, []).append(message)
            taken += message.size
            count += 1
        self._count(-taken)
        return batch

    def discard(self, number: int, topic_name: str | None = None) -> None:
        """Remove the messages of a partition, of one topic or of all."""
        queue = self._queues.pop(number, deque())
        kept = deque(m for m in queue if topic_name is not None and m.topic_name != topic_name)
        if kept:
            self._queues[number] = kept
        self._count(sum(m.size for m in kept) - sum(m.size for m in queue))

    def has_messages(self, number: int) -> bool:
        """Return whether messages of a partition are waiting."""
        return bool(self._queues.get(number))

    async def wait_for_space(self) -> None:
        """Wait until the buffer is below its limit."""
        await self._space.wait()

    def _count(self, change: int) -> None:
        self._bytes += change
        if self._bytes < self._limit:
            self._space.set()
        else:
            self._space.clear()
