"""The end of a run and the difference of clocks are stored and read."""

from __future__ import annotations

import time

from runstream_consumers.liveness import reader, store
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.liveness.model import PartitionModel
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_schemas import values
from runstream_schemas.events import (
    ChangeEvent,
    Ending,
    Entry,
    ExitEvent,
    ExitState,
    Header,
    Kind,
    Operation,
    Record,
    Role,
    Scope,
    Writer,
)
from runstream_schemas.topics import RunPath, Topic
from tests.property.liveness.logs import is_signed
from tests.unit.liveness.test_model import DEFAULTS

_RUN = RunPath(entity="team", project="digits", run_id="one")
_HOUR = 3_600_000_000


async def test_end_and_clock_are_stored(database: str) -> None:
    """A run that ended three hours ahead of the broker's clock ended when its exit was appended."""
    now = time.time_ns() // 1000
    writer = Writer(id=bytes(16), role=Role.PRIMARY)
    header = Header(kind=Kind.DATA, run=_RUN, writer=writer, time=now + 3 * _HOUR)
    model = PartitionModel(DEFAULTS, is_signed)
    model.apply(ExitEvent(header=header, ending=Ending(state=ExitState.FINISHED, counts={})), now)

    async with connected(database, application="test", schema="liveness") as connection:
        await migrate_all(connection, LivenessConsumer())
        await store.save(connection, 0, model.clock, model.changes)
        state = await reader.state(connection, _RUN)
        listed = await reader.states(connection, [_RUN])

    assert state is not None
    assert (state.ended, state.clock_offset) == (now, 3 * _HOUR)
    assert (listed[_RUN].ended, listed[_RUN].clock_offset) == (now, 3 * _HOUR)


async def test_a_label_that_is_no_text_for_postgres_is_stored(database: str) -> None:
    """NUL and lone surrogates in the label of a writer, which is part of reasons, are escaped."""
    entry = Entry(op=Operation.SET, path=("label",), value=values.dump("\ud800\0"), scope=Scope.ATTRIBUTE)
    writer = Writer(id=bytes(16), role=Role.PRIMARY)
    header = Header(kind=Kind.DATA, run=_RUN, writer=writer, time=_HOUR)
    records = (Record(order=0, time=_HOUR, entries=(entry,)),)
    model = PartitionModel(DEFAULTS, is_signed)
    model.apply(ChangeEvent(header=header, topic=Topic.CONFIG, records=records), _HOUR)

    async with connected(database, application="test", schema="liveness") as connection:
        await migrate_all(connection, LivenessConsumer())
        await store.save(connection, 0, model.clock, model.changes)
        state = await reader.state(connection, _RUN)
        restored = await store.some_runs(connection, [_RUN])

    assert state is not None
    assert "\\ud800\\x00: waiting for the first heartbeat" in [transition.reason for transition in state.transitions]
    assert restored[0].writers[writer.id].label == "\ud800\0"
