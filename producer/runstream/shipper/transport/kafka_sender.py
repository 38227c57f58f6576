"""Sending messages to Kafka: in order within a topic, many at once, and never waiting without a deadline.

aiokafka's idempotent producer retries forever, does not return what it could not send, and cannot recover from some
errors. So it is never asked to recover: at the first error or missed deadline the sender fails. Its owner then discards
it with everything in flight, creates another one, and sends again whatever was not acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runstream.shipper.background import BackgroundTasks
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.producer_shutdown import abandon_producer
from runstream.shipper.transport.route import Destination
from runstream_schemas.topics import Topic, topic_name


class DeliveryError(Exception):
    """The broker refused a message or did not acknowledge it in time; messages in flight may have arrived."""


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message, and what to call once it is acknowledged."""

    payload: bytes
    acknowledged: Callable[[], None]


class KafkaSender:
    """One producer and its messages in flight.

    Each message must be acknowledged within ``deadline_s``. ``changed`` is called after every acknowledgement, and once
    when the sender has failed.
    """

    def __init__(
        self, destination: Destination, settings: ShipperSettings, deadline_s: float, *, changed: Callable[[], None]
    ) -> None:
        connection, message_bytes = destination.connection, destination.limits.message_bytes
        self._destination = destination
        self._settings = settings
        self._deadline_s = deadline_s
        self._changed = changed
        self._producer = AIOKafkaProducer(
            bootstrap_servers=connection.brokers,
            enable_idempotence=True,
            acks="all",
            max_batch_size=min(settings.batch_bytes, message_bytes),
            max_request_size=2 * message_bytes + settings.batch_bytes,
            request_timeout_ms=int(1000 * deadline_s),
            connections_max_idle_ms=3_600_000,
        )
        self._queues: dict[Topic, TopicQueue] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks = BackgroundTasks(self._fail)
        #: Bytes accepted and not acknowledged.
        self.load = 0
        #: Set once something went wrong; the sender must then be discarded.
        self.failed = asyncio.Event()
        self.error: Exception | None = None

    async def start(self) -> None:
        """Connect; raise DeliveryError if the broker does not answer in time, or has other partitions."""
        connection = self._destination.connection
        name = topic_name(connection.prefix, Topic.LOG)
        try:
            async with asyncio.timeout(self._settings.connect_deadline_s):
                await self._producer.start()
                found = await self._producer.partitions_for(name)
        except (KafkaError, TimeoutError, OSError) as error:
            problem = f"{type(error).__name__} {error}".strip()
            raise DeliveryError(f"the broker cannot be reached or has no topic {name}: {problem}") from error
        if len(found or ()) != connection.partitions:
            raise DeliveryError(f"topic {name} has {len(found or ())} partitions instead of {connection.partitions}")

    def send(self, topic: Topic, message: PendingMessage) -> None:
        """Accept a message; messages of one topic are delivered in the order in which they were accepted."""
        queue = self._queues.get(topic)
        if queue is None:
            queue = self._queues[topic] = TopicQueue(topic_name(self._destination.connection.prefix, topic))
            self._tasks.start(queue.name, self._send_batches(queue))
        queue.waiting.append(message)
        queue.filled.set()
        self.load += len(message.payload)

    async def discard(self) -> None:
        """Close the producer without sending anything more. Messages in flight may or may not arrive."""
        self._fail("discarded", DeliveryError("discarded"))
        for timer in self._timers:
            timer.cancel()
        await self._tasks.close(self._settings.discard_deadline_s)
        await abandon_producer(self._producer, self._settings.discard_deadline_s)

    async def _send_batches(self, queue: TopicQueue) -> None:
        """Pass the messages of a topic to the producer, batch by batch; an error in here fails the sender."""
        while True:
            await queue.filled.wait()
            batch, pending = self._next_batch(queue)
            async with asyncio.timeout(self._deadline_s):
                acknowledged = await self._producer.send_batch(batch, queue.name, partition=self._destination.partition)
            late = DeliveryError(f"not acknowledged within {self._deadline_s} s")
            timer = asyncio.get_running_loop().call_later(self._deadline_s, self._fail, queue.name, late)
            self._timers.add(timer)
            acknowledged.add_done_callback(partial(self._acknowledge, queue.name, pending, timer))

    def _next_batch(self, queue: TopicQueue) -> tuple[Any, list[PendingMessage]]:
        batch = self._producer.create_batch()
        pending: list[PendingMessage] = []
        while queue.waiting:
            if batch.append(key=None, value=queue.waiting[0].payload, timestamp=None) is None:
                break
            pending.append(queue.waiting.popleft())
        batch.close()
        if not queue.waiting:
            queue.filled.clear()
        return batch, pending

    def _acknowledge(
        self, name: str, pending: list[PendingMessage], timer: asyncio.TimerHandle, future: asyncio.Future[Any]
    ) -> None:
        timer.cancel()
        self._timers.discard(timer)
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, Exception):
            self._fail(name, error)
        if self.failed.is_set():
            # The batch may well have arrived. But it will be sent again, and only then may it be acknowledged: else
            # a later batch could be acknowledged before an earlier one that was lost.
            return
        for message in pending:
            self.load -= len(message.payload)
            message.acknowledged()
        self._changed()

    def _fail(self, name: str, error: Exception) -> None:
        if not self.failed.is_set():
            self.error = DeliveryError(f"{name}: {type(error).__name__}: {error}")
            self.failed.set()
            self._changed()


class TopicQueue:
    """The messages of one topic that the producer has not accepted yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: deque[PendingMessage] = deque()
        self.filled = asyncio.Event()
