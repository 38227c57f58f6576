"""The liveness consumer on a real broker and a real database, with limits of a second or two."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from runstream_consumers.liveness import reader
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.liveness.ticker import is_signed
from runstream_schemas import events
from runstream_schemas.codec import decode
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name
from tests.events import changed
from tests.integration.summary.feeding import PARTITIONS, connected, consuming, feed, settings_of
from tests.polling import eventually_async
from tests.property.liveness.logs import RUN, beat, configured, exited, goodbye, tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.liveness.reader import RunState, Transition
    from runstream_consumers.runtime.plugin import Connection
    from runstream_consumers.settings import ServerSettings

TRAINER = events.Writer(id=b"t" * 16, role=events.Role.PRIMARY)
OTHER = events.Writer(id=b"o" * 16, role=events.Role.PRIMARY)
KEY = secrets.token_bytes(32)
TIMEOUT_S = 1.5


@pytest.fixture
def settings(broker: str, prefix: str, database: str, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """Return settings under which a writer is stale after half a second, and crashed after one and a half."""
    made = settings_of(broker, prefix, database)
    limits = {"tick_key": KEY.hex(), "tick_s": 0.1, "stale_s": 0.5, "liveness_timeout_s": TIMEOUT_S}
    for name, value in limits.items():
        monkeypatch.setenv(f"RUNSTREAM_{name.upper()}", str(value))
    return made


async def ready(connection: Connection) -> None:
    """Wait until the consumer has created its tables."""

    async def found() -> bool:
        return bool(await connection.fetchval("select to_regclass('liveness.transition') is not null"))

    await eventually_async(found)


async def shown(connection: Connection, *expected: str, run: RunPath = RUN) -> RunState:
    """Return the state of a run once it has its qualifiers."""

    async def found() -> RunState:
        state = await reader.state(connection, run)
        assert state is not None
        assert list(expected) == [state.state, *state.qualifiers]
        return state

    return await eventually_async(found)


async def ticks(broker: str, prefix: str) -> dict[int, list[events.HeartbeatEvent]]:
    """Return all ticks of the topic by partition."""
    topic = topic_name(prefix, Topic.HEARTBEAT)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[int, list[events.HeartbeatEvent]] = {}
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                record = await consumer.getone(partition)
                event = decode(Topic.HEARTBEAT, record.value)
                if isinstance(event, events.HeartbeatEvent) and event.kind is events.Kind.TICK:
                    found.setdefault(partition.partition, []).append(event)
        return found
    finally:
        await consumer.stop()


async def test_silent_writer_is_presumed_crashed_until_its_end_arrives(
    broker: str, prefix: str, settings: ServerSettings
) -> None:
    """The run is stale, then presumed crashed, then crashed with its signal; every transition has a reason."""
    late = replace(
        goodbye(TRAINER), ending=events.Ending(state=events.ExitState.CRASHED, signal=9, counts={Topic.LOG: 7})
    )
    async with consuming(LivenessConsumer(), settings), connected(settings.postgres) as connection:
        await ready(connection)
        await feed(broker, prefix, [configured(TRAINER)])
        await shown(connection, "pending")
        await feed(broker, prefix, [beat(TRAINER, 1)])
        await shown(connection, "running", "stale")
        await shown(connection, "crashed", "presumed")
        await feed(broker, prefix, [exited(TRAINER, events.ExitState.CRASHED)])
        await feed(broker, prefix, [late])
        state = await shown(connection, "crashed")
    assert [(item.from_state, item.to_state, item.reason) for item in state.transitions] == [
        (None, "pending", "waiting for the first heartbeat"),
        ("pending", "running", "heartbeat received"),
        ("running", "crashed", "silent for 2 s"),
        ("crashed", "crashed", "signal 9"),
    ]
    (writer,) = state.writers
    assert (
        writer.writer,
        writer.role,
        writer.state,
        writer.signal,
        writer.counts,
    ) == (b"t" * 16, "primary", "crashed", 9, {"log": 7})


async def test_beat_revokes_a_presumed_crash(broker: str, prefix: str, settings: ServerSettings) -> None:
    """A writer that beats again is running; a repeated beat has no effect."""
    async with consuming(LivenessConsumer(), settings), connected(settings.postgres) as connection:
        await ready(connection)
        await feed(broker, prefix, [beat(TRAINER, 1)])
        await shown(connection, "crashed", "presumed")
        await feed(broker, prefix, [beat(TRAINER, 1), beat(OTHER, 1), goodbye(OTHER)])
        await feed(broker, prefix, [beat(TRAINER, 2)])
        await shown(connection, "running")
        await feed(broker, prefix, [goodbye(TRAINER, events.ExitState.FAILED)])
        await feed(broker, prefix, [beat(TRAINER, 3)])
        state = await shown(connection, "finished")
    assert [writer.state for writer in state.writers] == ["failed", "finished"]


async def test_a_run_without_beats_is_pending_until_its_exit(
    broker: str, prefix: str, settings: ServerSettings
) -> None:
    """An offline run that is sent later changes from pending to its end, without running or crashed in between."""
    async with consuming(LivenessConsumer(), settings), connected(settings.postgres) as connection:
        await ready(connection)
        await feed(broker, prefix, [configured(TRAINER)])
        await shown(connection, "pending")
        await feed(broker, prefix, [exited(TRAINER, events.ExitState.FINISHED)])
        state = await shown(connection, "finished")
        assert {run: found.state for run, found in (await reader.states(connection, [RUN])).items()} == {
            RUN: "finished"
        }
    assert [item.to_state for item in state.transitions] == ["pending", "finished"]
    assert await ticks(broker, prefix) == {}


async def test_exit_read_before_the_beats_does_not_end_the_run(
    broker: str, prefix: str, settings: ServerSettings
) -> None:
    """An exit that is read first changes no state, although its details are stored; the goodbye ends the run, once."""
    async with consuming(LivenessConsumer(), settings), connected(settings.postgres) as connection:
        await ready(connection)
        await feed(broker, prefix, [configured(TRAINER), exited(TRAINER, events.ExitState.FAILED, beats=True)])

        async def known() -> bool:
            state = await reader.state(connection, RUN)
            return state is not None and state.writers[0].counts is not None

        await eventually_async(known)
        await shown(connection, "pending")
        await feed(broker, prefix, [beat(TRAINER, 1)])
        await shown(connection, "running")
        await feed(broker, prefix, [goodbye(TRAINER, events.ExitState.FAILED)])
        state = await shown(connection, "failed")
    assert [item.to_state for item in state.transitions] == ["pending", "running", "failed"]


async def test_ticks_are_signed_numbered_and_appended_only_if_needed(
    broker: str, prefix: str, settings: ServerSettings
) -> None:
    """A partition with a running writer gets ticks; a forged tick does not advance the clock."""
    number = partition_of(RUN, PARTITIONS)
    async with consuming(LivenessConsumer(), settings), connected(settings.postgres) as connection:
        await ready(connection)
        await feed(broker, prefix, [beat(TRAINER, 1)])
        await feed(broker, prefix, [tick(2**62, signed=False)])
        await shown(connection, "running", "stale")

        async def some() -> list[events.HeartbeatEvent]:
            found = await ticks(broker, prefix)
            assert [number] == sorted(found)
            return [item for item in found[number] if item.signature][2:]

        signed = await eventually_async(some)
        await shown(connection, "crashed", "presumed")
        refused = await connection.fetchval("select refused from liveness.clock where partition = $1", number)
    topic = topic_name(prefix, Topic.HEARTBEAT)
    assert all(is_signed(KEY, topic, number, item) for item in signed)
    assert not is_signed(KEY, topic, 1 - number, signed[0])
    assert sorted({item.number for item in signed}) == [item.number for item in signed]
    assert refused == 1


async def test_runs_that_fall_silent_together_are_unreachable(
    broker: str, prefix: str, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs of all partitions stop at once: none is crashed, and each is reachable again with its next beat."""
    # Silences that begin within a fifth of the limit count as simultaneous: partitions may differ by 2 s on a busy
    # machine. Other numbers of runs: tests/unit/liveness/test_model.py.
    monkeypatch.setenv("RUNSTREAM_LIVENESS_TIMEOUT_S", "10")
    runs = [RUN._replace(run_id=f"frozen {number}") for number in range(24)]
    assert len({partition_of(run, PARTITIONS) for run in runs}) > 1
    async with consuming(LivenessConsumer(), settings), connected(settings.postgres) as connection:
        await ready(connection)
        await feed(broker, prefix, [changed(beat(TRAINER, 1), run=run) for run in runs])
        for run in runs:
            await shown(connection, "running", "stale", "unreachable", run=run)
        await feed(broker, prefix, [changed(beat(TRAINER, 2), run=run) for run in runs])
        for run in runs:
            found = await transitions(connection, run)
            assert {item.to_state for item in found} == {"running"}


async def transitions(connection: Connection, run: RunPath) -> Sequence[Transition]:
    """Return the transitions of a run once it is reachable again."""

    async def found() -> Sequence[Transition]:
        state = await reader.state(connection, run)
        assert state is not None
        return state.transitions if len(state.transitions) >= 3 else ()

    return await eventually_async(found)


async def test_silence_while_no_consumer_ran_is_ignored(broker: str, prefix: str, settings: ServerSettings) -> None:
    """A writer is not crashed after the consumer was stopped for longer than the limit."""
    async with connected(settings.postgres) as connection:
        async with consuming(LivenessConsumer(), settings):
            await ready(connection)
            await feed(broker, prefix, [beat(TRAINER, 1)])
            await shown(connection, "running")
        before = int(await connection.fetchval("select max(available) from liveness.clock") or 0)
        back = asyncio.get_running_loop().time() + 2 * TIMEOUT_S

        async def stopped_for_long() -> bool:
            return asyncio.get_running_loop().time() > back

        await eventually_async(stopped_for_long)
        async with consuming(LivenessConsumer(), settings):

            async def ticked() -> int:
                return int(await connection.fetchval("select max(available) from liveness.clock") or 0) - before

            passed = await eventually_async(ticked)
            state = await reader.state(connection, RUN)
            assert state is not None
            assert (state.state, passed < 1_000_000) == ("running", True)
            await shown(connection, "crashed", "presumed")
