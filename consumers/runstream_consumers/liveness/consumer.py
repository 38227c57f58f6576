"""The registration of the liveness consumer."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runstream_consumers.liveness import failures, store
from runstream_consumers.liveness.clock import Thresholds
from runstream_consumers.liveness.model import Changes, PartitionModel, is_writer_event, set_state_in
from runstream_consumers.liveness.publisher import StatePublisher
from runstream_consumers.liveness.run_counts import RunCounter
from runstream_consumers.liveness.ticker import Ticker, is_signed
from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration
from runstream_schemas.events import HeartbeatEvent
from runstream_schemas.topics import Topic, topic_name

#: Runs without a running writer that stay in memory.
_CLOSED_RUNS = 2_000


class LivenessSettings(BaseSettings):
    """Environment variables of the liveness consumer; times are seconds."""

    model_config = SettingsConfigDict(env_prefix="RUNSTREAM_", env_ignore_empty=True, extra="ignore", frozen=True)

    #: Key of the ticks' signatures, hexadecimal. Without it a forged tick could not be recognized.
    tick_key: str = Field(repr=False)
    #: Interval between two ticks of a partition.
    tick_s: float = Field(default=5.0, gt=0)
    #: Silence after which a writer is stale, in available time.
    stale_s: float = Field(default=60.0, gt=0)
    #: Silence after which a writer is presumed crashed, in available time.
    liveness_timeout_s: float = Field(default=300.0, gt=0)
    #: Least number of runs, and least share of the runs with a running writer, that are regarded as unreachable if they
    #: fall silent together.
    mass_runs: int = Field(default=3, ge=1)
    mass_share: float = Field(default=0.3, gt=0, le=1)

    @field_validator("tick_key")
    @classmethod
    def _validate_hexadecimal(cls, value: str) -> str:
        bytes.fromhex(value)
        return value

    @property
    def thresholds(self) -> Thresholds:
        """The limits of silence."""
        return Thresholds.from_seconds(
            tick=self.tick_s,
            stale=self.stale_s,
            crashed=self.liveness_timeout_s,
            mass=self.mass_runs,
            share=self.mass_share,
        )


class LivenessConsumer:
    """Determines which writers are alive, and the state of each run."""

    name: str = "liveness"
    topics: frozenset[Topic] = frozenset({Topic.HEARTBEAT, Topic.EXIT, Topic.CONFIG})
    migrations: Traversable = files("runstream_consumers.liveness") / "migrations"
    declaration = Declaration(
        before_swap=store.keep_published,
        settings=LivenessSettings,
        owned_topics=frozenset({Topic.EXIT}),
        resume_topics=topics,
    )

    def __init__(self) -> None:
        self._run_counter: RunCounter | None = None

    def partition(self, number: int, context: Context) -> LivenessPartition:
        """Return the work on one partition."""
        settings: LivenessSettings = context.settings
        if self._run_counter is None:
            self._run_counter = RunCounter(thresholds=settings.thresholds, valid_s=settings.tick_s / 2)
        return LivenessPartition(number, context, settings, self._run_counter)


class LivenessPartition:
    """Applies the batches of one partition, and appends ticks to it while one of its writers is running."""

    def __init__(self, number: int, context: Context, settings: LivenessSettings, run_counter: RunCounter) -> None:
        self._number = number
        self._topic = topic_name(context.prefix, Topic.HEARTBEAT)
        self._key = bytes.fromhex(settings.tick_key)
        self._ticker = Ticker(
            context=context,
            partition=number,
            key=self._key,
            interval=settings.tick_s,
            count_runs=lambda: run_counter.count(context),
        )
        self._publisher = StatePublisher(context=context, partition=number)
        self._model = PartitionModel(settings.thresholds, self._is_signed)

    async def load(self, connection: Connection) -> None:
        """Read the clock, and the runs that have a running writer."""
        await store.load_clock(connection, self._number, self._model.clock)
        self._model.restore(await store.open_runs(connection, self._number))

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Apply a batch and write what it changed."""
        model = self._model
        events = [received.event for received in batch.events]
        runs = {event.run for event in events if is_writer_event(event) or set_state_in(event) is not None}
        model.restore(await store.some_runs(connection, runs - model.runs.keys()))
        for received in batch.events:
            model.apply(received.event, received.append_time)
        if any(change.writer is None for change in model.changes.transitions):
            self._publisher.notify()
        await store.save(connection, self._number, model.clock, model.changes)
        await failures.save(connection, batch.events)
        model.changes = Changes()
        model.forget_closed(_CLOSED_RUNS)

    async def background(self) -> None:
        """Tick, and publish transitions, until cancelled; an error of one ends both, and the runtime restarts them."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ticker.run(lambda: self._model.is_open, lambda: self._model.clock.number))
            tasks.create_task(self._publisher.run())

    def _is_signed(self, event: HeartbeatEvent) -> bool:
        return is_signed(self._key, self._topic, self._number, event)
