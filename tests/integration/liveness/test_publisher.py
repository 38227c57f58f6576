"""Transitions of runs on the topic ``state``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runstream_consumers.liveness.clock import Clock, Thresholds
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.liveness.model import PartitionModel
from runstream_consumers.liveness.publisher import StatePublisher
from runstream_consumers.liveness.store import save
from runstream_consumers.runtime.plugin import Context
from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.process import prepare_tables
from runstream_schemas.codec import decode
from runstream_schemas.events import Role, RunState, StateEvent, Writer
from runstream_schemas.topics import Topic
from tests.property.liveness.logs import RUN, beat, goodbye

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.events import Event

TRAINER = Writer(id=b"t" * 16, role=Role.PRIMARY)


class Recorder:
    """A producer that keeps what is sent, and can fail."""

    def __init__(self) -> None:
        self.sent: list[StateEvent] = []
        self.is_down = False

    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Keep a message."""
        if self.is_down:
            raise OSError("no broker")
        event = decode(topic, message)
        assert (topic, partition) == (Topic.STATE, 0)
        assert isinstance(event, StateEvent)
        self.sent.append(event)


class Outbox:
    """The tables of liveness, with a publisher."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.recorder = Recorder()
        context = Context(name="liveness", prefix="p", partitions=1, producer=self.recorder, connection=self.connection)
        self.publisher = StatePublisher(context=context, partition=0)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Provide a connection as the runtime does."""
        connection = await connect(self.dsn, application="test", schema="liveness")
        try:
            yield connection
        finally:
            connection.terminate()

    async def store(self, events: Sequence[Event]) -> None:
        """Apply events to an empty model, and store the changes."""
        model = PartitionModel(Thresholds(), lambda _: True)
        for time, event in enumerate(events):
            model.apply(event, time)
        async with self.connection() as connection:
            await save(connection, 0, Clock(), model.changes)

    async def forget(self) -> None:
        """Empty the consumer's tables, as a rebuild does."""
        async with self.connection() as connection:
            await connection.execute("truncate run, writer, pulse, transition, outbox")


@pytest.fixture
async def outbox(database: str) -> Outbox:
    """Return an outbox without transitions."""
    await prepare_tables(LivenessConsumer(), database)
    return Outbox(database)


def life() -> list[Event]:
    """Return the events of a run that ran and ended."""
    return [beat(TRAINER, 0), goodbye(TRAINER)]


async def test_transitions_are_published_once_in_order(outbox: Outbox) -> None:
    """Each transition of a run is one event, numbered from 0, and none is left to publish."""
    await outbox.store(life())
    assert await outbox.publisher.publish() == 2
    assert await outbox.publisher.publish() == 0
    assert [(event.run, event.seq, event.previous, event.state) for event in outbox.recorder.sent] == [
        (RUN, 0, RunState.UNKNOWN, RunState.RUNNING),
        (RUN, 1, RunState.RUNNING, RunState.FINISHED),
    ]
    assert all(len(event.cause) == 16 and event.reason for event in outbox.recorder.sent)


async def test_a_replay_publishes_nothing_again(outbox: Outbox) -> None:
    """Transitions that were published before the tables were rebuilt are not published again; a new one is."""
    await outbox.store(life()[:1])
    assert await outbox.publisher.publish() == 1
    await outbox.forget()
    await outbox.store(life())
    assert await outbox.publisher.publish() == 1
    assert [event.seq for event in outbox.recorder.sent] == [0, 1]


async def test_transitions_wait_for_the_broker(outbox: Outbox) -> None:
    """While nothing can be sent, transitions stay in the outbox."""
    await outbox.store(life())
    outbox.recorder.is_down = True
    with pytest.raises(OSError, match="no broker"):
        await outbox.publisher.publish()
    outbox.recorder.is_down = False
    assert await outbox.publisher.publish() == 2


async def test_a_crash_before_the_mark_publishes_again_with_the_same_numbers(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent but not marked is sent again under the same run and number, by which consumers remove it."""

    async def crash(*_: Any) -> None:
        raise ConnectionResetError

    await outbox.store(life())
    with monkeypatch.context() as patch:
        patch.setattr("runstream_consumers.liveness.store.mark_published", crash)
        with pytest.raises(ConnectionResetError):
            await outbox.publisher.publish()
    assert await outbox.publisher.publish() == 2
    assert [event.seq for event in outbox.recorder.sent] == [0, 1, 0, 1]
