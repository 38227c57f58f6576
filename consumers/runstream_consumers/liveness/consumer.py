"""The liveness consumer, as the runtime runs it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from runstream_consumers.liveness import store
from runstream_consumers.liveness.clock import Thresholds
from runstream_consumers.liveness.model import Changes, PartitionModel, is_writer_event
from runstream_consumers.liveness.signature import is_signed
from runstream_consumers.liveness.ticker import Ticker
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import Topic, topic_name

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from runstream_consumers.runtime.plugin import Batch, Connection, Context
    from runstream_schemas.events import HeartbeatEvent

#: Runs without a writer on the clock that stay in memory.
_CLOSED_RUNS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessSettings:
    """What the liveness of a partition depends on."""

    #: Key of the ticks' signatures.
    key: bytes
    #: Seconds between two ticks.
    tick: float
    thresholds: Thresholds

    @classmethod
    def from_environment(cls) -> LivenessSettings:
        """Return the settings of this process; raises ValueError where there is no key to sign ticks with."""
        settings = ServerSettings.from_environment()
        if not settings.tick_key:
            raise ValueError("RUNSTREAM_TICK_KEY is not set: without it no tick can be told from a forged one")
        thresholds = Thresholds.from_seconds(
            tick=settings.tick_s, stale=settings.stale_s, crashed=settings.liveness_timeout_s
        )
        return cls(key=bytes.fromhex(settings.tick_key), tick=settings.tick_s, thresholds=thresholds)


class LivenessConsumer:
    """Tells which writers live, and what state each run is in."""

    name: str = "liveness"
    topics: frozenset[Topic] = frozenset({Topic.HEARTBEAT, Topic.EXIT, Topic.CONFIG})
    migrations: Traversable = files("runstream_consumers.liveness") / "migrations"

    def partition(self, number: int, context: Context) -> LivenessPartition:
        """Return the work on one partition; raises ValueError where there is no key to sign ticks with."""
        return LivenessPartition(number, context, LivenessSettings.from_environment())


class LivenessPartition:
    """Folds the batches of one partition, and ticks it while one of its writers is on the clock."""

    def __init__(self, number: int, context: Context, settings: LivenessSettings) -> None:
        self._number = number
        self._topic = topic_name(context.prefix, Topic.HEARTBEAT)
        self._key = settings.key
        self._ticker = Ticker(context=context, partition=number, key=settings.key, interval=settings.tick)
        self._model = PartitionModel(settings.thresholds, self._is_signed)

    async def load(self, connection: Connection) -> None:
        """Read the clock, and the runs that have a writer on it."""
        await store.load_clock(connection, self._number, self._model.clock)
        self._model.restore(await store.open_runs(connection, self._number))

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Fold a batch in and write what it changed."""
        model = self._model
        runs = {received.event.run for received in batch.events if is_writer_event(received.event)}
        model.restore(await store.some_runs(connection, runs - model.runs.keys()))
        for received in batch.events:
            model.apply(received.event, received.append_time)
        await store.save(connection, self._number, model.clock, model.changes)
        model.changes = Changes()
        if len(model.runs) > _CLOSED_RUNS:
            model.forget_closed()

    async def background(self) -> None:
        """Tick until cancelled."""
        await self._ticker.run(lambda: self._model.is_open, lambda: self._model.clock.number)

    def _is_signed(self, event: HeartbeatEvent) -> bool:
        return is_signed(self._key, self._topic, self._number, event.number, event.signature)
