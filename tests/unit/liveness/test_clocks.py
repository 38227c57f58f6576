"""The end of a run and the difference of clocks, as far as its events show them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runstream_consumers.liveness.store import dump_details, restore_details
from runstream_consumers.liveness.writer import TrackedWriter
from runstream_schemas.events import Ending, ExitEvent, ExitState, Header, Kind, Role, Writer
from tests.property.liveness.logs import RUN, beat
from tests.unit.liveness.test_model import SECOND, Broker

if TYPE_CHECKING:
    from runstream_consumers.liveness.run import TrackedRun

_WRITER = Writer(id=bytes(16), role=Role.PRIMARY)


def _followed(offset: int, *, beats: bool) -> TrackedRun:
    """Return a run whose clock is ahead by an offset in seconds, after its beats and its exit a minute later."""
    broker = Broker()
    time = broker.time + offset * SECOND
    for number in range(2 if beats else 0):
        event = beat(_WRITER, number)
        # A later beat may be delayed.
        broker.model.apply(replace(event, header=replace(event.header, time=time)), broker.time + number * 90 * SECOND)
    header = Header(kind=Kind.DATA, run=RUN, writer=_WRITER, time=time + 60 * SECOND)
    exit_ = ExitEvent(header=header, ending=Ending(state=ExitState.FINISHED, counts={}), beats=beats)
    broker.model.apply(exit_, broker.time + 60 * SECOND)
    return broker.model.runs[RUN]


@pytest.mark.parametrize(
    ("offset", "beats", "ended", "shown"),
    [
        (0, True, 60, None),
        (-10_000, True, -9_940, -10_000),
        (10_000, True, 60, 10_000),
        (-10_000, False, -9_940, None),
        (10_000, False, 60, 10_000),
    ],
)
def test_end_and_offset_follow_from_the_events(*, offset: int, beats: bool, ended: int, shown: int | None) -> None:
    """The end is by the clock of the process unless that is ahead; a clock that is behind is known by beats only."""
    run, started = _followed(offset, beats=beats), Broker().time

    assert run.index.ended == started + ended * SECOND
    assert run.index.clock_offset == (None if shown is None else shown * SECOND)


def test_end_and_offset_are_stored() -> None:
    """They are in the details of a writer; details of an earlier version lack them."""
    writer = _followed(10_000, beats=True).writers[_WRITER.id]
    again = restore_details(TrackedWriter(run=RUN, id=_WRITER.id), dump_details(writer))

    assert (again.ended, again.clock_offset, again.clock_ahead) == (
        writer.ended,
        writer.clock_offset,
        writer.clock_ahead,
    )
