"""Publishes transitions of runs from the outbox to the topic ``state``: at least once, in order for each run."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError
from asyncpg import InterfaceError, PostgresError

from runstream_consumers.liveness import store
from runstream_consumers.runtime.plugin import Context
from runstream_schemas.codec import encode
from runstream_schemas.events import StateEvent
from runstream_schemas.topics import Topic

_LOG = logging.getLogger(__name__)

#: Seconds between two reads of the outbox after a change, and for how long after it the outbox is read.
_INTERVAL = 0.25
_ACTIVE = 15.0
#: Transitions published at once.
_LIMIT = 1_000


@dataclass(slots=True, kw_only=True)
class StatePublisher:
    """Publishes the transitions of one partition number."""

    context: Context
    partition: int
    #: When the outbox last changed; it is looked at for a while afterwards, since the change may not be committed yet.
    _changed: float = field(default_factory=time.monotonic)

    def notify(self) -> None:
        """Note that the outbox is about to change."""
        self._changed = time.monotonic()

    async def run(self) -> None:
        """Publish until cancelled; while a server is unavailable, transitions stay in the outbox."""
        while True:
            if time.monotonic() - self._changed < _ACTIVE:
                try:
                    await self.publish()
                except (InterfaceError, KafkaError, OSError, PostgresError) as error:
                    self.notify()
                    _LOG.warning("transitions of partition %d are not published yet: %r", self.partition, error)
                    await asyncio.sleep(1.0)
            await asyncio.sleep(_INTERVAL)

    async def publish(self) -> int:
        """Publish what is in the outbox; return how many transitions were published.

        After a crash between the acknowledgment and the deletion they are published again, with the same numbers.
        """
        async with self.context.connection() as connection:
            events = await store.unpublished(connection, self.partition, _LIMIT)
            runs = itertools.groupby(events, key=lambda event: event.run)
            await asyncio.gather(*(self._send([*events]) for _, events in runs))
            await store.mark_published(connection, self.partition, events)
        return len(events)

    async def _send(self, events: Sequence[StateEvent]) -> None:
        for event in events:
            await self.context.producer.send(Topic.STATE, self.partition, encode(event))
