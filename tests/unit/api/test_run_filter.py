"""The conditions and orders of lists of runs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runstream_consumers.api.documents.run_documents import FoundRun, listed_document, run_document
from runstream_consumers.api.documents.run_filter import MISSING, ConfigCondition, RunFilter, value_at
from runstream_consumers.api.documents.run_order import RunOrder
from runstream_consumers.liveness.reader import RunState
from runstream_consumers.summary.reader import RunDocument
from runstream_schemas.topics import RunPath

_CONFIG = {"lr": 0.1, "n": 1, "on": True, "none": None, "name": "resnet50", "opt": {"eps": 1e-8}, "a.b": {"c": "x"}}


def _run(run_id: str = "k3f9", state: str = "finished", created: int = 0, **parts: Any) -> FoundRun:
    path = RunPath(entity="ada", project="digits", run_id=run_id)
    document = RunDocument(run=path, created=created, **parts)
    return FoundRun(run=path, document=document, state=RunState(state=state, qualifiers=[]))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lr=0.1", True),
        ("lr=1e-1", True),
        ("lr=0.2", False),
        ("lr=", False),
        ("n=1", True),
        ("n=1.0", True),
        ("n=true", False),
        ("on=True", True),
        ("on=1", False),
        ("none=null", True),
        ("none=None", True),
        ("name=resnet50", True),
        ("name=resnet*", True),
        ("name=resnet", False),
        ("opt.eps=1e-8", True),
        ("a.b.c=x", True),
        ("nothing=1", False),
        ("nothing=null", False),
        ("opt=1", False),
        ('opt={"eps": 1e-8}', True),
    ],
)
def test_a_config_condition_compares_values(condition: str, *, expected: bool) -> None:
    """Numbers are compared as numbers, texts as texts or patterns, and booleans are no numbers."""
    assert ConfigCondition.parse(condition).accepts(_CONFIG) is expected


def test_a_config_condition_finds_nan() -> None:
    """NaN equals NaN."""
    assert ConfigCondition.parse("x=nan").accepts({"x": math.nan})
    assert not ConfigCondition.parse("x=nan").accepts({"x": 1.0})


@pytest.mark.parametrize("text", ["lr", "=1", ""])
def test_an_invalid_condition_is_refused(text: str) -> None:
    """A condition has a key and a value."""
    with pytest.raises(ValueError, match="expected KEY=VALUE"):
        ConfigCondition.parse(text)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"tags": frozenset({"a"})}, True),
        ({"tags": frozenset({"a", "b"})}, True),
        ({"tags": frozenset({"a", "z"})}, False),
        ({"group": "g"}, True),
        ({"group": ""}, False),
        ({"job_type": "eval"}, False),
        ({"user": "ada"}, True),
        ({"user": "bob"}, False),
        ({"name": "RIVER"}, True),
        ({"name": "*river"}, False),
        ({"name": "bright*"}, True),
        ({"name": "K3F9"}, True),
        ({"since": 100.0}, True),
        ({"since": 100.5}, False),
    ],
)
def test_a_run_fulfills_all_conditions(conditions: dict[str, Any], *, expected: bool) -> None:
    """Each condition is compared with its attribute; the name also by a part of it, in any case."""
    attributes = {"tags": ["a", "b", 3], "group": "g", "job_type": "train", "name": "Bright-river-1", "start_time": 100}
    run = _run(attributes=attributes, metadata={"username": "ada"}, created=100_000_000)
    assert RunFilter(**conditions).accepts(run) is expected


def test_attributes_of_any_type_are_compared() -> None:
    """Attributes that have another type than expected fit no condition, and are no error."""
    run = _run(attributes={"tags": {"a": 1}, "group": [1], "job_type": {}, "name": 3})
    for conditions in ({"tags": frozenset({"a"})}, {"group": "1"}, {"job_type": "x"}, {"name": "4"}):
        assert not RunFilter(**conditions).accepts(run)
    assert RunFilter().accepts(run)


def test_a_run_has_one_of_the_states() -> None:
    """Without states all fit."""
    assert RunFilter(states=frozenset({"failed", "finished"})).accepts_state(_run())
    assert not RunFilter(states=frozenset({"failed"})).accepts_state(_run())
    assert RunFilter().accepts_state(_run())


def test_value_at_looks_through_dots() -> None:
    """A dotted key is found as one name, in nested dicts, and as a mixture of both."""
    nested = {"a": {"b": {"c": 1}, "b.d": 2}, "a.b.e": 3, "x": 4}
    keys = ["a.b.c", "a.b.d", "a.b.e", "x", "x.y", "a.z", "z"]
    assert [value_at(nested, key) for key in keys] == [1, 2, 3, 4, MISSING, MISSING, MISSING]


def test_runs_are_sorted_with_missing_values_last() -> None:
    """In both directions; numbers come before texts, and of equal runs the newest comes first."""
    values = {"new": 1.0, "two": 2, "nan": math.nan, "text": "x", "none": None, "list": [1], "old": 1}
    newest_first = [_run(name, summary={"loss": value}) for name, value in values.items()]
    ascending = [run.run.run_id for run in RunOrder.parse("summary.loss").sort(newest_first)]
    assert ascending == ["new", "old", "two", "text", "nan", "none", "list"]
    descending = [run.run.run_id for run in RunOrder.parse("-summary.loss").sort(newest_first)]
    assert descending == ["text", "two", "new", "old", "nan", "none", "list"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [("name", ["b", "a"]), ("-name", ["a", "b"]), ("state", ["b", "a"]), ("+created_at", ["a", "b"])],
)
def test_runs_are_sorted_by_name_state_and_creation(order: str, expected: list[str]) -> None:
    """Names are compared in any case."""
    runs = [
        _run("a", "running", created=1, attributes={"name": "zeta"}),
        _run("b", "failed", created=2, attributes={"name": "Alpha"}),
    ]
    assert [run.run.run_id for run in RunOrder.parse(order).sort(runs)] == expected


@pytest.mark.parametrize("order", ["", "-", "loss", "--name", "summary", "summary.", "name.x", "+-created"])
def test_an_invalid_order_is_refused(order: str) -> None:
    """The message names what is expected."""
    with pytest.raises(ValueError, match=r"expected created, name, state, config\.KEY or summary\.KEY"):
        RunOrder.parse(order)


def test_lists_leave_out_long_metadata() -> None:
    """What is left out is named; other values of any type are kept."""
    run = _run(metadata={"host": "a", "packages": ["numpy==2"], "git": {"commit": "c", "diff": "+x"}})
    document = listed_document(run, "http://h")
    assert (document.metadata, document.omitted) == ({"host": "a", "git": {"commit": "c"}}, ["packages", "git.diff"])
    plain = listed_document(_run(metadata={"git": "none"}), "http://h")
    assert (plain.metadata, plain.omitted) == ({"git": "none"}, [])


def test_documents_have_the_charts_that_are_valid() -> None:
    """A chart without a definition, fields, texts or a table is an invalid attribute; lists leave charts out."""
    chart = {"definition": "wandb/line/v0", "fields": {"x": "a"}, "strings": {"title": "T"}, "table": "c_table"}
    run = _run(attributes={"charts": {"c": {**chart, "more": 1}, "d": {**chart, "fields": {"x": 1}}, "e": 3}})
    document = run_document(run, "http://h")
    assert {key: found.model_dump() for key, found in document.charts.items()} == {"c": chart}
    assert document.invalid_attributes.keys() == {"charts"}
    assert listed_document(run, "http://h").charts == {}
