"""The displayed summary: definitions, assignments, and conflicting values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runstream_schemas import events, values
from runstream_schemas.summary_algebra.projection import project
from runstream_schemas.summary_algebra.summary_state import SummaryState
from runstream_schemas.topics import Topic
from tests.property.summary.runs import RUN, change_event, log_event

ONE = events.Writer(id=b"1" * 16, role=events.Role.PRIMARY)
TWO = events.Writer(id=b"2" * 16, role=events.Role.PRIMARY)
RESUMED = events.Writer(id=b"3" * 16, role=events.Role.PRIMARY, continues=(ONE.id,))
AGAIN = events.Writer(id=b"4" * 16, role=events.Role.PRIMARY, continues=(RESUMED.id,))


class Story:
    """Records of a run; offsets and orders count up automatically."""

    def __init__(self) -> None:
        self.state = SummaryState(run=RUN)
        self._offset = 0
        self._orders: dict[bytes, int] = {}

    def log(self, *rows: dict[str, Any], writer: events.Writer = ONE, step: int | None = None) -> Story:
        """Log rows, by default at steps equal to the orders."""
        order = self._next(writer, len(rows))
        first = order if step is None else step
        self._fold(log_event(writer, rows, range(first, first + len(rows)), order))
        return self

    def set(self, path: str, value: Any, writer: events.Writer = ONE) -> Story:
        """Assign a value; names of the path are separated by slashes."""
        return self._assign(
            events.Entry(op=events.Operation.SET, path=tuple(path.split("/")), value=values.dump(value)), writer
        )

    def remove(self, path: str, writer: events.Writer = ONE) -> Story:
        """Remove a value from the summary."""
        return self._assign(events.Entry(op=events.Operation.REMOVE, path=tuple(path.split("/"))), writer)

    def define(self, name: str, writer: events.Writer = ONE, **fields: Any) -> Story:
        """Define a metric."""
        value = {"name": name, "glob": "*" in name, **fields}
        entry = events.Entry(op=events.Operation.SET, path=(name,), value=values.dump(value), scope=events.Scope.METRIC)
        record = events.Record(order=self._next(writer, 1), time=0, entries=(entry,))
        self._fold(change_event(writer, Topic.CONFIG, [record]))
        return self

    @property
    def summary(self) -> dict[str, Any]:
        """The displayed summary."""
        state = self.state
        return project(state.keys, state.manual, state.definitions, state.continues)

    def _assign(self, entry: events.Entry, writer: events.Writer) -> Story:
        record = events.Record(order=self._next(writer, 1), time=0, entries=(entry,))
        self._fold(change_event(writer, Topic.SUMMARY, [record]))
        return self

    def _next(self, writer: events.Writer, count: int) -> int:
        order = self._orders.get(writer.id, 0)
        self._orders[writer.id] = order + count
        return order

    def _fold(self, event: Any) -> None:
        self.state.fold(event, self._offset, self._offset)
        self._offset += 1


def test_without_definitions_the_last_value_is_shown() -> None:
    """Each key has its last value; None and empty dicts do not change it; NaN is a value."""
    story = Story().log({"a": 1, "b": "x", "c": True}, {"a": None, "b": [1]}, {"d": math.nan, "e": {}})
    assert str(story.summary) == "{'a': 1, 'b': [1], 'c': True, 'd': nan}"


def test_a_late_row_does_not_change_the_last_value() -> None:
    """A late row is included in the statistics."""
    story = Story().define("a", summary=["last", "min"]).log({"a": 5}, step=10).log({"a": 1, "b": 2}, step=3)
    assert story.summary == {"a": {"last": 5, "min": 1}, "b": 2}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"summary": ["min"]}, {"min": 1}),
        ({"summary": ["max"]}, {"max": 9}),
        ({"summary": ["mean"]}, {"mean": 3.75}),
        ({"summary": ["last"]}, {"last": 2}),
        ({"summary": ["first"]}, {"first": 3}),
        ({"summary": ["best"]}, {"best": 1}),
        ({"summary": ["best"], "goal": "minimize"}, {"best": 1}),
        ({"summary": ["best", "max"], "goal": "minimize"}, {"best": 1, "max": 9}),
        ({"summary": ["best", "last"], "goal": "maximize"}, {"best": 9, "last": 2}),
        ({"summary": ["copy"]}, 2),
        ({"summary": []}, 2),
        ({"hidden": True}, 2),
        ({"step_metric": "epoch"}, 2),
    ],
)
def test_aggregations(fields: dict[str, Any], shown: Any) -> None:
    """A key has a dict of its aggregations, whether they were defined before or after the rows."""
    rows = [{"m": value} for value in (3, 1, 9, 2)]
    assert Story().define("m", **fields).log(*rows).summary == {"m": shown}
    assert Story().log(*rows).define("m", **fields).summary == {"m": shown}


def test_none_hides_a_key() -> None:
    """A key defined with ``none`` is logged and not displayed."""
    assert Story().define("a", summary=["none", "min"]).log({"a": 1, "b": 2}).summary == {"b": 2}


def test_aggregations_ignore_other_values_than_numbers() -> None:
    """Strings, booleans, lists and None are only used as the last value."""
    story = Story().define("*", summary=["min", "max", "last"])
    story.log({"s": "x", "b": True, "n": None, "l": [1]}, {"s": 3, "b": False, "n": 2})
    shown = {"last": 3, "max": 3, "min": 3}
    assert story.summary == {
        "b": {"last": False},
        "l": {"last": [1]},
        "n": {"last": 2, "max": 2, "min": 2},
        "s": shown,
    }


def test_nan_and_the_infinities_in_aggregations() -> None:
    """One NaN makes minimum, maximum and mean NaN; infinities of both signs have no mean."""
    story = Story().define("*", summary=["min", "max", "mean"])
    story.log(
        {"a": 1.0, "b": 2.0, "c": -math.inf, "d": math.inf}, {"a": math.nan, "b": math.inf, "c": math.inf, "d": 1}
    )
    inf, nan = math.inf, math.nan
    expected = {
        "a": {"max": nan, "mean": nan, "min": nan},
        "b": {"max": inf, "mean": inf, "min": 2.0},
        "c": {"max": inf, "mean": nan, "min": -inf},
        "d": {"max": inf, "mean": inf, "min": 1},
    }
    assert values.dump(expected) == values.dump(story.summary)


def test_a_mean_is_rounded_once() -> None:
    """Large numbers that cancel do not hide small ones."""
    story = Story().define("a", summary=["mean"]).log({"a": 1e300}, {"a": 1.0}, {"a": -1e300}, {"a": 1})
    assert story.summary == {"a": {"mean": 0.5}}


def test_later_definitions_add_and_overwrite_replaces() -> None:
    """A later definition changes only its own fields, unless it overwrites the earlier one."""
    story = Story().log({"m": 5}, {"m": 3}, {"m": 4})
    story.define("m", summary=["min"], hidden=True).define("m", summary=["max"], step_metric="epoch")
    assert story.summary == {"m": {"max": 5, "min": 3}}
    (metric,) = story.state.definitions.in_force().values()
    assert metric.document() == {
        "name": "m",
        "glob": False,
        "step_metric": "epoch",
        "step_sync": True,
        "hidden": True,
        "summary": ["max", "min"],
        "goal": None,
    }
    assert story.define("m", summary=["last"], overwrite=True).summary == {"m": {"last": 4}}


def test_an_exact_name_precedes_a_pattern_and_a_longer_pattern_a_shorter_one() -> None:
    """The order of definitions does not matter; a pattern matches nested keys by their dotted name."""
    story = Story().define("val/loss", summary=["min"]).define("val/*", summary=["max"]).define("*", summary=["first"])
    story.define("val/best.*", summary=["last"])
    for number in (3, 1, 2):
        story.log({"val/loss": number, "val/acc": number, "val": number, "val/best": {"x": number}})
    assert story.summary == {
        "val": {"first": 3},
        "val/acc": {"max": 3},
        "val/best": {"x": {"last": 2}},
        "val/loss": {"min": 1},
    }


def test_a_dotted_definition_matches_a_nested_key() -> None:
    """``train.loss`` is ``{"train": {"loss": …}}`` as well as the key with a dot."""
    story = Story().define("train.loss", summary=["min"]).log({"train": {"loss": 2}}, {"train.loss": 3})
    assert story.summary == {"train": {"loss": {"min": 2}}, "train.loss": {"min": 3}}


def test_an_assignment_replaces_earlier_rows_of_its_writer() -> None:
    """Later rows of the writer replace the assignment."""
    story = Story().log({"acc": 0.5}).set("acc", 0.99).set("note", None)
    assert story.summary == {"acc": 0.99, "note": None}
    assert story.log({"acc": 0.6}).summary == {"acc": 0.6, "note": None}


def test_an_assignment_is_kept_unless_a_writer_continues() -> None:
    """Rows of another writer do not replace it; those of a resumed run do, also after several resumes."""
    story = Story().set("acc", 1).log({"acc": 2}, writer=TWO, step=5)
    assert story.summary == {"acc": 1}
    assert story.log({"acc": 4}, writer=AGAIN, step=7).summary == {"acc": 1}
    assert story.log({"x": 0}, writer=RESUMED).summary == {"acc": 4, "x": 0}


def test_an_assignment_permanently_replaces_an_aggregated_dict() -> None:
    """Rows logged afterwards are displayed without aggregations; with ``none``, the assignment is kept."""
    story = Story().define("a", summary=["min"]).log({"a": 1, "b": 1}).set("a", "best")
    assert story.summary == {"a": "best", "b": 1}
    assert story.log({"a": 3}).summary == {"a": 3, "b": 1}
    assert story.define("a", summary=["max"]).log({"a": 2}).summary == {"a": 2, "b": 1}
    assert story.define("a", summary=["none"]).summary == {"a": "best", "b": 1}


def test_an_assigned_aggregate_keeps_the_others() -> None:
    """When the key is logged again, its last value is displayed, as after any assignment."""
    story = Story().define("m", summary=["min", "max"]).log({"m": 3}, {"m": 1}).set("m/min", -5)
    assert story.summary == {"m": {"max": 3, "min": -5}}
    assert story.remove("m/max").summary == {"m": {"min": -5}}
    assert story.log({"m": 7}).summary == {"m": 7}


def test_deleted_aggregates_are_restored_by_the_next_row() -> None:
    """Deleting affects the display, and not the statistics."""
    story = Story().define("m", summary=["min"]).log({"m": 1}).remove("m")
    assert story.summary == {}
    assert story.log({"m": 7}).summary == {"m": {"min": 1}}


def test_an_assignment_before_the_first_row_does_not_affect_aggregates() -> None:
    """The aggregates are those of the rows."""
    story = Story().set("a", 9).define("a", summary=["max"]).log({"a": 1}, {"a": 3}, {"a": 2})
    assert story.summary == {"a": {"max": 3}}


def test_an_assigned_dict_replaces_the_values_below() -> None:
    """An assigned dict replaces another one, and a logged dict is merged; a value can be assigned within a dict."""
    story = Story().log({"n": {"x": 1, "y": 2}}).set("n", {"z": 3})
    assert story.summary == {"n": {"z": 3}}
    assert story.set("n/w", {"deep": 4}).log({"n": {"x": 5}}).summary == {"n": {"w": {"deep": 4}, "x": 5, "z": 3}}
    assert story.remove("n/w").summary == {"n": {"x": 5, "z": 3}}
    assert story.remove("n").log({"n": {"y": 6}}).summary == {"n": {"y": 6}}


def test_the_later_kind_of_value_is_displayed() -> None:
    """A later dict replaces a number, and a later number a dict; replaced values are not restored."""
    story = Story().log({"a": 1, "b": {"x": 1}}, {"a": {"x": 1}, "b": "s"}, {"a": {"y": 2}})
    assert story.summary == {"a": {"x": 1, "y": 2}, "b": "s"}
    assert story.log({"b": {"z": 3}}).summary == {"a": {"x": 1, "y": 2}, "b": {"z": 3}}


def test_an_int_precedes_an_equal_float() -> None:
    """Which of two equal numbers is the minimum does not depend on their order."""
    for one, other in ((1, 1.0), (1.0, 1)):
        shown = Story().define("a", summary=["min", "max"]).log({"a": one}, {"a": other}).summary["a"]
        assert [type(shown["min"]), type(shown["max"])] == [int, int]


def test_attributes_of_the_primary_take_precedence() -> None:
    """Attributes of the primary replace those of workers; those of children and shippers are ignored."""
    state = SummaryState(run=RUN)
    for offset, role in enumerate((events.Role.PRIMARY, events.Role.WORKER, events.Role.CHILD, events.Role.SHIPPER)):
        writer = events.Writer(id=bytes([offset]) * 16, role=role)
        entries = tuple(
            events.Entry(
                op=events.Operation.SET, path=(key,), value=values.dump(role.value), scope=events.Scope.ATTRIBUTE
            )
            for key in ("name", f"of_{role.value}")
        )
        state.fold(
            change_event(writer, Topic.CONFIG, [events.Record(order=0, time=0, entries=entries)]), offset, offset
        )
    assert state.attributes.resolve() == {"name": "primary", "of_primary": "primary", "of_worker": "worker"}


def test_the_number_of_a_run_may_be_sent_by_its_shipper() -> None:
    """The number is assigned by the server, so that any writer may record it."""
    state = SummaryState(run=RUN)
    entry = events.Entry(op=events.Operation.SET, path=("number",), value=values.dump(7), scope=events.Scope.ATTRIBUTE)
    record = events.Record(order=0, time=0, entries=(entry,))
    state.fold(change_event(events.Writer(id=bytes(16), role=events.Role.SHIPPER), Topic.CONFIG, [record]), 0, 0)
    assert state.attributes.resolve() == {"number": 7}


def test_charts_of_any_writer_are_kept() -> None:
    """A forked child logs charts to the run of its parent."""
    state = SummaryState(run=RUN)
    chart = {"definition": "wandb/line/v0", "fields": {"x": "a"}, "strings": {}, "table": "c_table"}
    path = ("charts", "c")
    entry = events.Entry(op=events.Operation.SET, path=path, value=values.dump(chart), scope=events.Scope.ATTRIBUTE)
    record = events.Record(order=0, time=0, entries=(entry,))
    state.fold(change_event(events.Writer(id=bytes(16), role=events.Role.CHILD), Topic.CONFIG, [record]), 0, 0)
    assert state.attributes.resolve() == {"charts": {"c": chart}}
