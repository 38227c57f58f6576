"""The summary of a rewound or forked run starts again at the marker."""

from __future__ import annotations

import numpy as np

from runstream_schemas import events
from runstream_schemas.rows import pack_rows
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.state_codec import decode_state, encode_state
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath

RUN = RunPath(entity="e", project="p", run_id="r")
OLD = events.Writer(id=bytes(16), role=events.Role.PRIMARY)
NEW = events.Writer(id=b"n" * 16, role=events.Role.PRIMARY, continues=(OLD.id,))


def rows(by: events.Writer, steps: list[int]) -> events.LogEvent:
    """Return a block of rows whose value ``a`` is their step."""
    numbers = np.array(steps)
    columns = pack_rows([{"a": step} for step in steps])
    return events.LogEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=by, time=0, seq=steps[0], count=len(steps)),
        stream=events.Stream.HISTORY,
        orders=numbers,
        steps=numbers,
        times=numbers,
        columns=columns,
    )


def rewind(step: int) -> events.LogEvent:
    """Return the marker of a rewind."""
    none = np.empty(0, dtype=np.int64)
    return events.LogEvent(
        header=events.Header(kind=events.Kind.BRANCH, run=RUN, writer=NEW, time=0, seq=0, count=1),
        stream=events.Stream.HISTORY,
        orders=none,
        steps=none,
        times=none,
        branch=events.Branch(run=RUN, step=step),
    )


def values(state: SummaryState) -> dict[str, object]:
    """Return the logged values of a summary."""
    return {key: value for key, value in summary_of(state).items() if not key.startswith("_")}


def test_earlier_rows_are_not_included_after_a_rewind() -> None:
    """Rows before the marker, and late rows of the continued writers, are not included."""
    state = SummaryState(run=RUN)
    state.fold(rows(OLD, [0, 1, 2, 3]), 0, 1)
    state.fold(rewind(1), 1, 2)
    assert (values(state), state.last_step) == ({}, 1)
    state.fold(rows(OLD, [4, 5]), 2, 3)
    state.fold(rows(NEW, [2]), 3, 4)
    assert (values(state), state.last_step) == ({"a": 2}, 2)


def test_a_rewind_is_stored_with_the_state() -> None:
    """A state that is stored and loaded ignores the same rows."""
    state = SummaryState(run=RUN)
    state.fold(rewind(1), 1, 2)
    stored = decode_state(RUN, encode_state(state))
    assert encode_state(stored) == encode_state(state)
    stored.fold(rows(OLD, [4, 5]), 2, 3)
    assert values(stored) == {}
