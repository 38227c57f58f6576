"""A run has as many keys as the limit allows: what exceeds it is noted, and everything next to it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_consumers.summary.layout import Layout
from runstream_consumers.summary.packing import documents, pack_document, pack_keys, texts, unpack
from runstream_schemas import events, values
from runstream_schemas.limits import Limits
from runstream_schemas.summary_algebra.projection import summary_of
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import Topic
from tests.property.summary.runs import RUN, change_event, log_event
from tests.unit.summary.test_costs import ONE, entry

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTE = {"[not recorded]": "[not recorded: keys beyond the 3 that a run may have]"}
_FIELDS = {"_step": 2, "_timestamp": 2e-06}


def limited(*folded: events.Event) -> SummaryState:
    """Return the state of events of a run that may have three keys."""
    state = SummaryState(run=RUN, limits=Limits(run_keys=3))
    for offset, event in enumerate(folded):
        state.fold(event, offset, 1)
    return state


def assigned(topic: Topic, scope: events.Scope, names: Iterable[str]) -> events.Event:
    """Return an event that assigns 1 to names."""
    entries = tuple(entry(name, scope=scope) for name in names)
    return change_event(ONE, topic, [events.Record(order=1, time=0, entries=entries)])


def shown(state: SummaryState) -> dict[str, Any]:
    """Return the summary as it is stored and as it is folded, which are equal."""
    layout = Layout(state)
    assert layout.projections(state, layout.touched(state)) == {0: summary_of(state)}
    return summary_of(state)


def test_keys_of_rows_are_limited() -> None:
    """A row with new keys beyond the limit updates the others; the note remains when the state is stored and loaded."""
    rows: list[dict[str, Any]] = [{"a": 1, "b": 1}, {"a": 2, "c": 2, "d": 2, "e": 2}, {"a": 3, "d": 3}]
    state = limited(*(log_event(ONE, [row], [step], step) for step, row in enumerate(rows)))
    assert shown(state) == {"a": 3, "b": 1, "c": 2, **_NOTE, **_FIELDS}
    again = unpack(RUN, pack_keys(state.keys, state.latest), pack_document(state))
    assert (again.full, again.keys.keys()) == ({"summary"}, state.keys.keys())


def test_a_run_with_exactly_the_limit_is_whole() -> None:
    """The last key that the limit allows leads to no note."""
    state = limited(log_event(ONE, [{"a": 1, "b": 1, "c": 1}, {"a": 1, "c": 2}], [1, 2], 0))
    assert shown(state).keys() - _FIELDS.keys() == {"a", "b", "c"}
    assert not state.full


def test_assigned_keys_are_limited_in_each_document() -> None:
    """A config beyond the limit has a note, known keys can still be changed, and attributes are not affected."""
    config, attributes = events.Scope.CONFIG, events.Scope.ATTRIBUTE
    state = limited(
        assigned(Topic.CONFIG, config, "abcd"),
        assigned(Topic.CONFIG, attributes, ["name", "notes"]),
        change_event(ONE, Topic.CONFIG, [events.Record(order=2, time=0, entries=(entry("a", value=2, scope=config),))]),
        assigned(Topic.SUMMARY, events.Scope.UNKNOWN, "xyzw"),
        log_event(ONE, [{"x": 5}], [2], 2),
    )
    found = {name: values.load(text) for name, text in texts(documents(state)).items()}
    assert found["config"] == {"a": 2, "b": 1, "c": 1, **_NOTE}
    assert found["attributes"] == {"name": 1, "notes": 1}
    assert shown(state) == {"x": 5, "y": 1, "z": 1, **_NOTE, **_FIELDS}


def test_definitions_are_limited() -> None:
    """Of more definitions than keys are allowed, the first ones are in force, and the config has a note."""
    names = [entry("m", value={"name": name}, scope=events.Scope.METRIC) for name in "abcde"]
    state = limited(change_event(ONE, Topic.CONFIG, [events.Record(order=1, time=0, entries=tuple(names))]))
    assert [given["name"] for given in values.load(texts(documents(state))["metrics"])] == ["a", "b", "c"]
    assert values.load(texts(documents(state))["config"]) == _NOTE
