"""Delivering messages to Kafka: in order, many at once, and never waiting without a deadline.

aiokafka's idempotent producer retries for ever, does not give back what it could not send, and is stuck for good after
some errors. So it is not asked to recover: at the first error or missed deadline the sender reports its failure, and
its owner discards it with all that was in flight, makes another, and sends again what was never acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runstream_schemas.topics import Topic, topic_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.shipper.settings import ShipperSettings

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """The broker refused, or did not acknowledge in time; what became of the messages in flight is unknown."""


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message, and what to do once it is acknowledged."""

    payload: bytes
    acknowledged: Callable[[], None]


class KafkaSender:
    """One producer and what it has on the way.

    Args:
        brokers: host:port, several with commas.
        prefix: First part of the topics' names.
        partition: The partition of the run.
        partitions: How many partitions each topic must have.
        message_bytes: Largest message that the topics take.
        settings: Sizes and deadlines.
        deadline_s: Until an acknowledgement must have come.
    """

    def __init__(
        self,
        brokers: str,
        prefix: str,
        partition: int,
        *,
        partitions: int,
        message_bytes: int,
        settings: ShipperSettings,
        deadline_s: float,
    ) -> None:
        self._prefix = prefix
        self._partition = partition
        self._partitions = partitions
        self._settings = settings
        self._deadline_s = deadline_s
        self._producer = AIOKafkaProducer(
            bootstrap_servers=brokers,
            enable_idempotence=True,
            acks="all",
            max_batch_size=min(settings.batch_bytes, message_bytes),
            max_request_size=2 * message_bytes + settings.batch_bytes,
            request_timeout_ms=int(1000 * deadline_s),
            connections_max_idle_ms=3_600_000,
        )
        self._queues: dict[Topic, TopicQueue] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        #: Bytes handed over and not acknowledged.
        self.load = 0
        #: Set once something went wrong; the sender is of no more use.
        self.failed = asyncio.Event()
        #: Set whenever something was acknowledged.
        self.progress = asyncio.Event()
        self.error: Exception | None = None

    async def start(self) -> None:
        """Connect, and check that the topics are there with the partitions that were told.

        Raises:
            DeliveryError: The broker does not answer in time, or its topics are other ones.
        """
        name = topic_name(self._prefix, Topic.LOG)
        try:
            async with asyncio.timeout(self._settings.connect_deadline_s):
                await self._producer.start()
                found = await self._producer.partitions_for(name)
        except (KafkaError, TimeoutError, OSError) as error:
            problem = f"{type(error).__name__} {error}".strip()
            raise DeliveryError(f"the broker cannot be reached, or has no topic {name}: {problem}") from error
        if len(found or ()) != self._partitions:
            raise DeliveryError(
                f"topic {name} has {len(found or ())} partitions where there should be {self._partitions}"
            )

    def send(self, topic: Topic, message: PendingMessage) -> None:
        """Take a message; messages of one topic are delivered in the order in which they were taken."""
        queue = self._queues.get(topic)
        if queue is None:
            queue = self._queues[topic] = TopicQueue(topic_name(self._prefix, topic))
            queue.task = asyncio.create_task(self._drive(queue))
        queue.waiting.append(message)
        queue.filled.set()
        self.load += len(message.payload)

    async def discard(self) -> None:
        """Let go of the producer without sending anything more. What is in flight may or may not arrive."""
        self._fail(DeliveryError("discarded"))
        tasks = [queue.task for queue in self._queues.values() if queue.task is not None]
        for timer in self._timers:
            timer.cancel()
        for task in tasks:
            task.cancel()
        # stop() would wait, without end, until everything is acknowledged.
        producer: Any = self._producer
        producer._closed = True  # noqa: SLF001
        sender = producer._sender.sender_task  # noqa: SLF001
        if sender is not None:
            sender.cancel()
            tasks.append(sender)
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(self._settings.discard_deadline_s):
                await producer.client.close()
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.discard_deadline_s)

    async def _drive(self, queue: TopicQueue) -> None:
        """Hand the messages of a topic to the producer, batch by batch."""
        try:
            while True:
                await queue.filled.wait()
                batch, pending = self._filled_batch(queue)
                async with asyncio.timeout(self._deadline_s):
                    acknowledged = await self._producer.send_batch(batch, queue.name, partition=self._partition)
                timer = asyncio.get_running_loop().call_later(self._deadline_s, self._missed, queue.name)
                self._timers.add(timer)
                acknowledged.add_done_callback(partial(self._settle, pending, timer))
        except Exception as error:  # noqa: BLE001 (whatever it is, this producer is of no more use)
            self._fail(DeliveryError(f"{queue.name}: {type(error).__name__} {error}"))

    def _filled_batch(self, queue: TopicQueue) -> tuple[Any, list[PendingMessage]]:
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

    def _settle(self, pending: list[PendingMessage], timer: asyncio.TimerHandle, future: asyncio.Future[Any]) -> None:
        timer.cancel()
        self._timers.discard(timer)
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._fail(DeliveryError(f"{type(error).__name__} {error}"))
        if self.failed.is_set():
            return  # it may well have arrived, but it will be sent again, and must then be acknowledged in order
        for message in pending:
            self.load -= len(message.payload)
            message.acknowledged()
        self.progress.set()

    def _missed(self, name: str) -> None:
        self._fail(DeliveryError(f"{name}: not acknowledged within {self._deadline_s} s"))

    def _fail(self, error: Exception) -> None:
        if not self.failed.is_set():
            self.error = error
            self.failed.set()
            self.progress.set()


class TopicQueue:
    """The messages of one topic that wait for the producer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: deque[PendingMessage] = deque()
        self.filled = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
