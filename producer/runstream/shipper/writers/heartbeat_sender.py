"""Sending beats and goodbyes over a separate connection, so that a backlog of rows cannot delay them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from runstream.shipper.ledger.ledger import PartitionMismatchError
from runstream.shipper.settings import ShipperSettings
from runstream.shipper.transport.kafka_sender import DeliveryError, KafkaSender, PendingMessage
from runstream.shipper.transport.route import Destination, NoServerError
from runstream_schemas.codec import encode
from runstream_schemas.events import HeartbeatEvent
from runstream_schemas.topics import Topic

log = logging.getLogger(__name__)

#: Fraction by which an interval varies randomly, so that runs do not beat in step.
JITTER = 0.2


@dataclass(slots=True)
class HeartbeatSender:
    """Keeps a connection and sends beats (of each running writer; None for no beats) and goodbyes over it."""

    resolve: Callable[[], Awaitable[Destination]]
    beats: Callable[[Destination], Iterable[HeartbeatEvent]] | None
    settings: ShipperSettings
    #: Set while the connection for the rows can reach the broker: only then is a new connection opened.
    reachable: asyncio.Event
    #: Goodbyes that are not acknowledged, by writer: how to create the event, and what to call afterwards.
    _goodbyes: dict[bytes, tuple[Callable[[Destination], HeartbeatEvent], Callable[[], None]]] = field(
        default_factory=dict
    )
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _beat_requested: bool = False

    def beat_now(self) -> None:
        """Send beats without waiting for the next interval."""
        self._beat_requested = True
        self._wake.set()

    def send_goodbye(
        self, writer: bytes, create: Callable[[Destination], HeartbeatEvent], acknowledged: Callable[[], None]
    ) -> None:
        """Send the goodbye of a writer now, and again after every failure until it is acknowledged.

        Repeating the call for the same writer has no effect.
        """
        if writer not in self._goodbyes:
            self._goodbyes[writer] = create, acknowledged
            self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        pause = self.settings.first_retry_s
        while True:
            sender: KafkaSender | None = None
            await self.reachable.wait()
            try:
                destination = await self.resolve()
                sender = KafkaSender(destination, self.settings, self.settings.send_deadline_s, changed=self._wake.set)
                await sender.start()
                pause = self.settings.first_retry_s
                await self._send_over(sender, destination)
            except (NoServerError, DeliveryError, PartitionMismatchError, OSError) as error:
                log.debug("cannot send heartbeats: %s", error)
            finally:
                if sender is not None:
                    await sender.discard()
            await asyncio.sleep(pause)
            pause = min(2 * pause, self.settings.longest_retry_s)

    async def _send_over(self, sender: KafkaSender, destination: Destination) -> None:
        """Send until the connection fails."""
        interval = destination.connection.heartbeat_interval_s
        clock = asyncio.get_running_loop().time
        sent: set[bytes] = set()
        due = clock()
        while not sender.failed.is_set():
            self._wake.clear()
            for writer, (create, _) in self._goodbyes.items():
                if writer not in sent:
                    sent.add(writer)
                    message = PendingMessage(encode(create(destination)), partial(self._acknowledge, writer))
                    sender.send(Topic.HEARTBEAT, message)
            if self._beat_requested or clock() >= due:
                self._beat_requested = False
                for beat in self.beats(destination) if self.beats is not None else ():
                    # Beats need no acknowledgement: the next one follows soon.
                    sender.send(Topic.HEARTBEAT, PendingMessage(encode(beat), lambda: None))
                due = clock() + interval * random.uniform(1 - JITTER, 1 + JITTER)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()

    def _acknowledge(self, writer: bytes) -> None:
        if (goodbye := self._goodbyes.pop(writer, None)) is not None:
            goodbye[1]()
