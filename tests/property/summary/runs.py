"""Small random runs: events of several writers as in the topics of one partition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from runstream_schemas import events, values
from runstream_schemas.rows import cut, pack_rows
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = RunPath(entity="team", project="digits", run_id="one")

_NUMBERS = st.one_of(
    st.floats(width=64),
    st.floats(min_value=-2, max_value=2, width=16),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 3),
    st.sampled_from([1e308, -1e308, 5e-324, 0.1, -0.0, 0.0, 1, 1.0]),
)
SCALARS = st.one_of(_NUMBERS, st.none(), st.booleans(), st.text(max_size=3), st.just([1, "x"]))
KEYS = st.sampled_from(["a", "b", "val/x"])
ROWS = st.dictionaries(KEYS, st.one_of(SCALARS, st.dictionaries(KEYS, SCALARS, min_size=1, max_size=2)), max_size=3)
PATHS = st.lists(KEYS, min_size=1, max_size=2).map(tuple)
ASSIGNED = st.one_of(SCALARS, st.dictionaries(KEYS, SCALARS, max_size=2))

_ROLES = st.sampled_from([events.Role.PRIMARY, events.Role.WORKER, events.Role.CHILD])

DEFINITIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "a.b", "val/*", "*", "b.val/x"]),
        "summary": st.none()
        | st.lists(st.sampled_from(["min", "max", "mean", "last", "first", "best", "copy", "none"])),
        "goal": st.sampled_from([None, "maximize", "minimize"]),
        "overwrite": st.booleans(),
        "hidden": st.sampled_from([None, True, False]),
    }
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its offset and append time in its topic."""

    event: events.LogEvent | events.ChangeEvent
    offset: int
    append_time: int


@st.composite
def runs(draw: st.DrawFn) -> list[Placed]:
    """Draw the events of a run in the order of their topics, ``log``, ``config`` and ``summary`` mixed."""
    writers = [
        events.Writer(id=bytes([number]) * 16, role=role, continues=(bytes([0]) * 16,) if continues and number else ())
        for number, (role, continues) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from([events.Role.PRIMARY, events.Role.WORKER, events.Role.CHILD]), st.booleans()
                    ),
                    min_size=1,
                    max_size=3,
                )
            )
        )
    ]
    orders = [0] * len(writers)
    offsets = dict.fromkeys([Topic.LOG, Topic.CONFIG, Topic.SUMMARY], 0)
    placed = []
    for _ in range(draw(st.integers(0, 8))):
        number = draw(st.integers(0, len(writers) - 1))
        topic = draw(st.sampled_from(list(offsets)))
        event = draw(event_of(writers[number], topic, orders[number]))
        orders[number] += event.count
        placed.append(Placed(event, offsets[topic], 1_000 + draw(st.integers(0, 50))))
        offsets[topic] += 1
    return placed


@st.composite
def event_of(draw: st.DrawFn, writer: events.Writer, topic: Topic, order: int) -> events.LogEvent | events.ChangeEvent:
    """Draw one event of a writer whose next order is given."""
    if topic is Topic.LOG:
        rows = draw(st.lists(ROWS, min_size=1, max_size=4))
        return log_event(writer, rows, [draw(st.integers(-2, 5)) for _ in rows], order)
    records = []
    for index in range(draw(st.integers(1, 3))):
        entries = draw(st.lists(_summary_entries() if topic is Topic.SUMMARY else _config_entries(), max_size=3))
        records.append(events.Record(order=order + index, time=0, entries=tuple(entries)))
    return change_event(writer, topic, records)


def log_event(
    writer: events.Writer, rows: Sequence[dict[str, Any]], steps: Sequence[int], order: int
) -> events.LogEvent:
    """Return a block of rows with contiguous orders."""
    numbers = np.arange(order, order + len(rows), dtype=np.int64)
    return events.LogEvent(
        header=events.Header(kind=events.Kind.DATA, run=RUN, writer=writer, time=0, seq=order, count=len(rows)),
        stream=events.Stream.HISTORY,
        orders=numbers,
        steps=np.array(steps, dtype=np.int64),
        times=numbers,
        columns=pack_rows(rows),
    )


def change_event(writer: events.Writer, topic: Topic, records: Sequence[events.Record]) -> events.ChangeEvent:
    """Return an event of config or summary."""
    return events.ChangeEvent(
        header=events.Header(
            kind=events.Kind.DATA, run=RUN, writer=writer, time=0, seq=records[0].order, count=len(records)
        ),
        topic=topic,
        records=tuple(records),
    )


def one_by_one(placed: Placed) -> list[Placed]:
    """Return the records of an event as events of one record each, at the same offset."""
    event = placed.event
    if isinstance(event, events.LogEvent):
        return [replace(placed, event=cut(event, row, row + 1)) for row in range(event.count)]
    return [
        replace(placed, event=replace(event, header=event.header.with_records(event.seq + index, 1), records=(record,)))
        for index, record in enumerate(event.records)
    ]


def _summary_entries() -> st.SearchStrategy[events.Entry]:
    return st.builds(
        events.Entry,
        op=st.sampled_from([events.Operation.SET, events.Operation.SET, events.Operation.REMOVE]),
        path=PATHS,
        value=ASSIGNED.map(values.dump),
    )


def _config_entries() -> st.SearchStrategy[events.Entry]:
    scopes = st.sampled_from([events.Scope.CONFIG, events.Scope.ATTRIBUTE, events.Scope.METADATA])
    assigned = st.builds(
        events.Entry,
        op=st.sampled_from([events.Operation.SET, events.Operation.REMOVE]),
        path=PATHS,
        value=ASSIGNED.map(values.dump),
        scope=scopes,
    )
    defined = DEFINITIONS.map(
        lambda value: events.Entry(
            op=events.Operation.SET, path=(value["name"],), value=values.dump(value), scope=events.Scope.METRIC
        )
    )
    return st.one_of(assigned, defined)
