"""Beats and goodbyes, over a connection of their own, so that no backlog of rows can delay them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream.shipper.delivery.kafka_sender import DeliveryError, KafkaSender, PendingMessage
from runstream.shipper.delivery.ledger import PartitionMismatchError
from runstream.shipper.delivery.route import NoServerError
from runstream_schemas.codec import encode
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from runstream.shipper.delivery.route import Destination
    from runstream.shipper.settings import ShipperSettings
    from runstream_schemas.events import HeartbeatEvent

log = logging.getLogger(__name__)

#: An interval is drawn from this part around the one that the server wants, so that runs do not beat in step.
JITTER = 0.2


@dataclass(slots=True, eq=False)
class _Goodbye:
    make: Callable[[Destination], HeartbeatEvent]
    acknowledged: Callable[[], None]


class HeartbeatSender:
    """Keeps a connection and beats over it.

    Args:
        resolve: Where to send to; raises NoServerError.
        beats: Makes the beats that are due now: one for each writer that lives; None where none are to be sent at all.
        settings: Deadlines.
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Destination]],
        beats: Callable[[Destination], Iterable[HeartbeatEvent]] | None,
        settings: ShipperSettings,
    ) -> None:
        self._resolve = resolve
        self._beats = beats
        self._settings = settings
        self._goodbyes: list[_Goodbye] = []
        self._poked = asyncio.Event()
        self._reachable = asyncio.Event()

    def note_broker(self, *, reachable: bool) -> None:
        """Take note whether the broker can be reached, which is found out by who delivers the rows.

        A connection that there is is kept; a new one is made only while the broker can be reached.
        """
        if reachable:
            self._reachable.set()
        else:
            self._reachable.clear()

    def poke(self) -> None:
        """Beat now: there is a new writer."""
        self._poked.set()

    def send_goodbye(self, make: Callable[[Destination], HeartbeatEvent], acknowledged: Callable[[], None]) -> None:
        """Send a goodbye now, and again after every failure until it is acknowledged."""
        self._goodbyes.append(_Goodbye(make, acknowledged))
        self._poked.set()

    async def run(self) -> None:
        """Beat until cancelled."""
        retry = self._settings.first_retry_s
        while True:
            sender: KafkaSender | None = None
            await self._reachable.wait()
            try:
                destination = await self._resolve()
                sender = create_sender(destination, self._settings, self._settings.send_deadline_s)
                await sender.start()
                retry = self._settings.first_retry_s
                await self._beat_over(sender, destination)
            except (NoServerError, DeliveryError, PartitionMismatchError) as error:
                log.debug("no beats: %s", error)
            finally:
                if sender is not None:
                    await sender.discard()
            await asyncio.sleep(retry)
            retry = min(2 * retry, self._settings.longest_retry_s)

    async def _beat_over(self, sender: KafkaSender, destination: Destination) -> None:
        """Beat until the connection fails."""
        interval = destination.connection.heartbeat_interval_s
        sent: set[_Goodbye] = set()  # not their ids: those of goodbyes that are said are used again
        due = 0.0
        clock = asyncio.get_running_loop().time
        failed = asyncio.create_task(sender.failed.wait())
        try:
            while not failed.done():
                self._poked.clear()
                for goodbye in self._goodbyes:
                    if goodbye not in sent:
                        sent.add(goodbye)
                        payload = encode(goodbye.make(destination))
                        sender.send(Topic.HEARTBEAT, PendingMessage(payload, lambda done=goodbye: self._said(done)))  # type: ignore[misc]
                if self._beats is not None:
                    for beat in self._beats(destination):
                        sender.send(Topic.HEARTBEAT, PendingMessage(encode(beat), _nothing))
                due = clock() + interval * random.uniform(1 - JITTER, 1 + JITTER)
                poked = asyncio.create_task(self._poked.wait())
                await asyncio.wait({failed, poked}, timeout=due - clock(), return_when=asyncio.FIRST_COMPLETED)
                poked.cancel()
        finally:
            failed.cancel()

    def _said(self, goodbye: _Goodbye) -> None:
        with contextlib.suppress(ValueError):
            self._goodbyes.remove(goodbye)
        goodbye.acknowledged()


def create_sender(destination: Destination, settings: ShipperSettings, deadline_s: float) -> KafkaSender:
    """Return a sender to a destination, not started."""
    connection = destination.connection
    return KafkaSender(
        connection.brokers,
        connection.prefix,
        destination.partition,
        partitions=connection.partitions,
        message_bytes=destination.limits.message_bytes,
        settings=settings,
        deadline_s=deadline_s,
    )


def _nothing() -> None:
    """Beats need no answer: the next one comes soon."""
