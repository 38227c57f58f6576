"""Definitions of metrics that are not valid."""

from __future__ import annotations

from typing import Any

import pytest

from runstream_schemas import values
from runstream_schemas.attributes import validated
from runstream_schemas.events import ChangeEvent, Entry, Header, Kind, Operation, Record, Role, Scope, Writer
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import RunPath, Topic

_RUN = RunPath(entity="team", project="digits", run_id="one")


def _entry(scope: Scope, name: str, value: Any) -> Entry:
    return Entry(op=Operation.SET, path=(name,), value=values.dump(value), scope=scope)


_INVALID: list[Any] = [
    "max",
    5,
    [1],
    {},
    {"name": 5},
    {"name": "\ud800"},
    {"name": "a", "summary": "max"},
]


@pytest.mark.parametrize("value", _INVALID, ids=range(len(_INVALID)))
def test_an_invalid_definition_is_kept_apart_and_its_record_is_folded(value: Any) -> None:
    """The name, the config and the valid definitions of the same record count, and readers see what was given."""
    entries = (
        _entry(Scope.METRIC, "loss", value),
        _entry(Scope.METRIC, "acc", {"name": "acc", "summary": ["max"]}),
        _entry(Scope.CONFIG, "lr", 0.1),
        _entry(Scope.ATTRIBUTE, "name", "swift otter"),
    )
    header = Header(kind=Kind.DATA, run=_RUN, writer=Writer(id=bytes(16), role=Role.PRIMARY), time=0)
    event = ChangeEvent(header=header, topic=Topic.CONFIG, records=(Record(order=0, time=0, entries=entries),))
    state = SummaryState(run=_RUN)
    state.fold(event, 7, 0)

    attributes = validated(state.attributes.resolve())
    assert state.config.resolve() == {"lr": 0.1}
    assert [*state.definitions.in_force()] == ["acc"]
    assert (attributes.name, attributes.invalid) == ("swift otter", {"metrics": {"loss": value}})
