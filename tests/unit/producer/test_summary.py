"""``run.summary`` in the process that logs."""

from __future__ import annotations

import copy
import math
import pickle
from enum import Enum
from typing import Any

import numpy as np
import pytest

from runstream.exceptions import DataError
from runstream.tracking.run.recorder import DisabledRecorder
from runstream.tracking.summary.summary import Summary


class Colour(Enum):
    """An enum with numbers."""

    RED = 1


class Recorder(DisabledRecorder):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: list[Any] = []

    def record_summary(self, entries: Any, apply: Any) -> None:
        """Keep the entries, and apply them."""
        self.recorded += entries
        super().record_summary(entries, apply)


@pytest.fixture
def recorder() -> Recorder:
    """Return a recorder with nested last values."""
    recorder = Recorder()
    recorder.summary().update({"loss": 0.5, "n": {"x": 1, "deep": {"y": 2}}})
    return recorder


@pytest.fixture
def summary(recorder: Recorder) -> Summary:
    """Return the summary of the recorder."""
    return Summary(recorder)


def test_last_values_can_be_read(summary: Summary) -> None:
    """Values, including nested ones, can be read as items and as attributes."""
    assert (summary["loss"], summary.n.x, summary["n"]["deep"]["y"]) == (0.5, 1, 2)
    assert (summary.get("missing"), summary.get("missing", 7)) == (None, 7)
    assert ["loss", "n"] == list(summary) == list(summary.keys())
    assert "loss" in summary
    assert summary.as_dict() == {"loss": 0.5, "n": {"x": 1, "deep": {"y": 2}}}


def test_a_value_that_is_set_is_recorded_and_visible(summary: Summary, recorder: Recorder) -> None:
    """Path and plain value are recorded, at any depth."""
    summary["best"] = np.float64(0.25)
    summary.n.deep.z = None
    summary.update({"n2": {"a": 1}}, more=2)
    del summary["loss"]

    assert recorder.recorded == [
        ["set", ["best"], 0.25],
        ["set", ["n", "deep", "z"], None],
        ["set", ["n2"], {"a": 1}],
        ["set", ["more"], 2],
        ["remove", ["loss"], None],
    ]
    assert summary == {"best": 0.25, "n": {"x": 1, "deep": {"y": 2, "z": None}}, "n2": {"a": 1}, "more": 2}


def test_a_default_does_not_replace_a_value(summary: Summary, recorder: Recorder) -> None:
    """``setdefault`` keeps existing values, including None."""
    summary["nothing"] = None

    assert (summary.setdefault("loss", 1), summary.setdefault("nothing", 1), summary.setdefault("new", 1)) == (
        0.5,
        None,
        1,
    )
    assert [entry[1] for entry in recorder.recorded] == [["nothing"], ["new"]]


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        (math.nan, None),
        (np.float64("nan"), None),
        (Colour.RED, "RED"),
        ({"a": Colour.RED, "b": [Colour.RED]}, {"a": "RED", "b": [1]}),
        ({"a": math.nan, "b": [1.0, math.nan]}, {"a": None, "b": [1.0, None]}),
        (math.inf, math.inf),
        (np.int64(7), 7),
        (np.arange(32), list(range(32))),
        (None, None),
    ],
)
def test_assigned_values_become_plain(summary: Summary, recorder: Recorder, given: Any, recorded: Any) -> None:
    """NaN becomes None at any depth; infinities, numbers and small arrays are as in a row."""
    summary["x"] = given

    assert recorder.recorded == [["set", ["x"], recorded]]


@pytest.mark.parametrize("nested", [False, True])
def test_a_large_array_becomes_statistics(summary: Summary, nested: bool) -> None:  # noqa: FBT001
    """As in W&B, more than 32 numbers become a dict of statistics."""
    array = np.arange(101.0)
    summary["x"] = {"in": array} if nested else array

    shown = summary["x"]["in"] if nested else summary["x"]
    assert shown == {
        "_type": "numpy.ndarray",
        "min": 0.0,
        "max": 100.0,
        "mean": 50.0,
        "var": 850.0,
        "10%": 10.0,
        "25%": 25.0,
        "75%": 75.0,
        "90%": 90.0,
        "size": 101,
    }


def test_a_value_that_is_read_is_a_copy(summary: Summary) -> None:
    """Changing a list that was read does not change the summary."""
    summary["l"] = [1, [2]]
    summary["l"].append(3)
    dict(summary.items())["l"][1].append(3)

    assert summary["l"] == [1, [2]]


def test_as_dict_is_a_copy(summary: Summary) -> None:
    """Changing the dict does not change the summary."""
    summary.as_dict()["n"]["x"] = 9

    assert summary.n.x == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda summary: pickle.loads(pickle.dumps(summary))])
def test_copies_are_plain_dicts(summary: Summary, copied: Any) -> None:
    """A copied or pickled summary does not refer to the recorder."""
    assert type(copied(summary.n)) is dict
    assert copied(summary) == {"loss": 0.5, "n": {"x": 1, "deep": {"y": 2}}}


def test_invalid_values_are_refused_as_a_whole(summary: Summary, recorder: Recorder) -> None:
    """Nothing of a call with a value of a type that cannot be recorded is recorded."""
    with pytest.raises(DataError):
        summary.update({"good": 1, "x": object()})
    assert recorder.recorded == []
    assert "good" not in summary


def test_deleting_a_missing_key_is_recorded(summary: Summary, recorder: Recorder) -> None:
    """Another process may have set the key; in this process nothing changes."""
    before = summary.as_dict()
    del summary["missing"]
    assert summary.as_dict() == before
    assert recorder.recorded == [["remove", ["missing"], None]]


def test_a_missing_attribute_is_also_a_missing_key(summary: Summary) -> None:
    """W&B raises KeyError, and Python expects AttributeError."""
    assert not hasattr(summary, "missing")
    with pytest.raises(KeyError):
        _ = summary.missing
