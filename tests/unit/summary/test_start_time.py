"""When a run began, by the clock of its first process."""

from __future__ import annotations

import pytest

from runstream_schemas.attributes import bounded_time
from runstream_schemas.events import ChangeEvent, Entry, Header, Kind, Operation, Record, Role, Scope, Writer
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath, Topic

_RUN = RunPath(entity="team", project="digits", run_id="one")
#: The append time of all events.
_NOW = 1_767_323_045_000_000
_DAY = 86_400_000_000


def _config(time: int, start_time: str = "null", role: Role = Role.PRIMARY) -> ChangeEvent:
    entry = Entry(op=Operation.SET, path=("start_time",), value=start_time, scope=Scope.ATTRIBUTE)
    return ChangeEvent(
        header=Header(kind=Kind.DATA, run=_RUN, writer=Writer(id=bytes(16), role=role), time=time, seq=0, count=1),
        topic=Topic.CONFIG,
        records=(Record(order=0, time=time, entries=(entry,)),),
    )


@pytest.mark.parametrize(
    ("event", "created"),
    [
        (_config(_NOW - 3 * _DAY), _NOW - 3 * _DAY),
        (_config(_NOW, str((_NOW - 3 * _DAY) / 1e6)), _NOW - 3 * _DAY),
        (_config(_NOW + _DAY, str((_NOW + _DAY) / 1e6)), _NOW),
        (_config(0, "5"), _NOW),
        (_config(_NOW, '"yesterday"'), _NOW),
        (_config(_NOW, "1e308"), _NOW),
        (_config(_NOW - _DAY, role=Role.COMMAND), _NOW),
        (_config(_NOW - _DAY, role=Role.SHIPPER), _NOW),
    ],
)
def test_a_run_begins_by_its_own_clock(event: ChangeEvent, created: int) -> None:
    """A clock that is ahead of the broker's, that is not set, or is not that of a process of the run, is not used."""
    state = SummaryState(run=_RUN)
    state.fold(event, 7, _NOW)
    assert (state.created, state.updated) == (created, _NOW)


def test_times_are_bounded_by_the_append_time() -> None:
    """A time after it, or before the year 2000, is replaced by it."""
    assert [bounded_time(time, _NOW) for time in (_NOW - 1, _NOW, _NOW + 1, 0)] == [_NOW - 1, _NOW, _NOW, _NOW]
