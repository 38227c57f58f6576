"""The ticker: appends signed ticks to a partition, by which its available time is measured."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from asyncpg import InterfaceError, PostgresError

from runstream_consumers.liveness.run_counts import NO_SILENCE, RunCounts
from runstream_consumers.runtime.plugin import Context
from runstream_schemas.codec import encode
from runstream_schemas.events import Header, HeartbeatEvent, Kind, Role, Writer
from runstream_schemas.topics import RunPath, Topic, topic_name

_LOG = logging.getLogger(__name__)

#: A tick belongs to a partition, not to a run or a writer.
_NO_RUN = RunPath(entity="", project="", run_id="")
_NO_WRITER = Writer(id=bytes(16), role=Role.COMMAND)


def sign(key: bytes, topic: str, partition: int, number: int, counts: RunCounts = NO_SILENCE) -> bytes:
    """Return the HMAC-SHA256 of a tick; ``topic`` is Kafka's name."""
    text = f"{topic}/{partition}/{number}"
    if counts != NO_SILENCE:
        text += f"/{counts.open}/{counts.silent}"
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def is_signed(key: bytes, topic: str, partition: int, tick: HeartbeatEvent) -> bool:
    """Return whether the signature of a tick is valid, in constant time."""
    counts = RunCounts(tick.open_runs, tick.silent_runs)
    return hmac.compare_digest(sign(key, topic, partition, tick.number, counts), tick.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """Appends ticks to one partition."""

    context: Context
    partition: int
    key: bytes
    #: Seconds between two ticks.
    interval: float
    #: Returns the counts of all partitions.
    count_runs: Callable[[], Awaitable[RunCounts]]

    async def run(self, is_wanted: Callable[[], bool], latest: Callable[[], int]) -> None:
        """Append a tick at each interval while ``is_wanted``, numbered above ``latest``, until cancelled.

        A tick that cannot be appended is skipped: that time was not available.
        """
        number = 0
        while True:
            if is_wanted():
                # The clock only provides numbers that are new after a restart; it decides nothing.
                number = max(number, latest(), time.time_ns() // 1000) + 1
                await self._append(number)
            await asyncio.sleep(self.interval)

    async def _append(self, number: int) -> None:
        try:
            tick = self.tick(number, await self.count_runs())
            await self.context.producer.send(Topic.HEARTBEAT, self.partition, encode(tick))
        except (OSError, KafkaError, InterfaceError, PostgresError) as error:
            _LOG.warning("could not append a tick to partition %d: %s", self.partition, error)

    def tick(self, number: int, counts: RunCounts = NO_SILENCE) -> HeartbeatEvent:
        """Return a signed tick."""
        topic = topic_name(self.context.prefix, Topic.HEARTBEAT)
        return HeartbeatEvent(
            header=Header(kind=Kind.TICK, run=_NO_RUN, writer=_NO_WRITER, time=time.time_ns() // 1000),
            number=number,
            signature=sign(self.key, topic, self.partition, number, counts),
            open_runs=counts.open,
            silent_runs=counts.silent,
        )
