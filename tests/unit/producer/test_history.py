"""The rules of steps and rows, and the last values that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runstream.exceptions import DataError
from runstream.spool.plain_values import plain_row
from runstream.spool.writer import SpoolWriter
from runstream.tracking.rows.metric import build_metric
from runstream.tracking.rows.placement import MAX_LATE_ROWS
from runstream.tracking.rows.row_log import RowLog
from runstream.tracking.summary.local_summary import LocalSummary
from runstream_schemas.events import Role
from runstream_schemas.limits import DEFAULT_LIMITS
from tests.unit.producer.spooled import rows, steps_and_values

if TYPE_CHECKING:
    from pathlib import Path


def test_implicit_steps_count_from_0(history: RowLog, tmp_path: Path) -> None:
    """Calls without a step are rows 0, 1, 2."""
    for value in range(3):
        history.log({"x": value})

    assert steps_and_values(tmp_path) == [(0, {"x": 0}), (1, {"x": 1}), (2, {"x": 2})]
    assert history.counter == 3


def test_commit_false_keeps_the_row_open(history: RowLog, tmp_path: Path) -> None:
    """Values logged with commit=False are in the row of the next call."""
    history.log({"a": 1, "n": {"x": 1}}, commit=False)
    history.log({"b": 2, "n": {"y": 2}})
    history.log({"a": 3})

    assert steps_and_values(tmp_path) == [(0, {"a": 1, "b": 2, "n": {"x": 1, "y": 2}}), (1, {"a": 3})]


def test_one_explicit_step_is_one_row(history: RowLog, tmp_path: Path) -> None:
    """Calls with the same step are one row; a greater step is another one."""
    history.log({"a": 1}, step=5)
    history.log({"b": 2}, step=5)
    history.log({"a": 3}, step=7)

    assert steps_and_values(tmp_path) == [(5, {"a": 1, "b": 2}), (7, {"a": 3})]
    assert history.counter == 7


def test_an_implicit_call_joins_and_closes_the_explicit_row(history: RowLog, tmp_path: Path) -> None:
    """After an explicit step, the next call without a step belongs to that row, and the one after it to a new row."""
    history.log({"a": 1}, step=5)
    history.log({"b": 2})
    history.log({"c": 3})

    assert steps_and_values(tmp_path) == [(5, {"a": 1, "b": 2}), (6, {"c": 3})]


def test_commit_true_closes_the_explicit_row(history: RowLog, tmp_path: Path) -> None:
    """commit=True ends a row with an explicit step."""
    history.log({"a": 1}, step=5, commit=True)
    history.log({"b": 2})

    assert steps_and_values(tmp_path) == [(5, {"a": 1}), (6, {"b": 2})]


def test_held_values_keep_their_own_row(history: RowLog, tmp_path: Path) -> None:
    """Values held by commit=False are not moved to a greater explicit step."""
    history.log({"a": 1}, commit=False)
    history.log({"b": 2}, step=4)

    assert steps_and_values(tmp_path) == [(0, {"a": 1}), (4, {"b": 2})]


@pytest.mark.parametrize("step", [3, -2])
def test_a_lower_step_is_a_separate_row(history: RowLog, tmp_path: Path, step: int) -> None:
    """A call below the current step is not dropped or joined, and does not change the current step."""
    history.log({"a": 1}, step=10, commit=True)
    history.log({"late": 1}, step=step)
    history.log({"late": 2}, step=step, commit=False)
    history.log({"b": 2})

    assert steps_and_values(tmp_path) == [(10, {"a": 1}), (step, {"late": 1}), (step, {"late": 2}), (11, {"b": 2})]


def test_a_lower_step_leaves_the_open_row_open(history: RowLog, tmp_path: Path) -> None:
    """Values logged to the open row after a late row join the open row; the late row has the next number."""
    history.log({"a": 1}, step=10)
    history.log({"late": 1}, step=3)
    history.log({"b": 2}, step=10)
    history.log({"late": 2}, step=9, commit=True)
    history.log({"c": 3})
    history.log({"d": 4})

    assert steps_and_values(tmp_path) == [
        (10, {"a": 1, "b": 2, "c": 3}),
        (3, {"late": 1}),
        (9, {"late": 2}),
        (11, {"d": 4}),
    ]
    assert [row.seq for row in rows(tmp_path)] == [0, 1, 2, 3]


def test_a_closed_step_is_not_opened_again(history: RowLog, tmp_path: Path) -> None:
    """A call at a step whose row is closed is a late row."""
    history.log({"a": 1}, step=1, commit=True)
    history.log({"b": 2}, step=1)
    history.log({"c": 3})

    assert steps_and_values(tmp_path) == [(1, {"a": 1}), (1, {"b": 2}), (2, {"c": 3})]


def test_a_thousand_late_rows_close_the_open_row(history: RowLog, tmp_path: Path) -> None:
    """Rows are published in order, so the open row ends after a limited number of late rows."""
    history.log({"a": 1}, step=5000)
    for step in range(MAX_LATE_ROWS + 1):
        history.log({"late": 1}, step=step)
    history.log({"a": 2})

    found = steps_and_values(tmp_path)
    assert [found[0], found[-1]] == [(5000, {"a": 1}), (5001, {"a": 2})]
    assert len(found) == MAX_LATE_ROWS + 3


def test_a_lower_step_is_a_warning_once(tmp_path: Path) -> None:
    """The first late step causes a warning that the row is kept; later ones do not."""
    warnings: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16)), warn=warnings.append)
    history.log({"a": 1}, step=10)
    for step in (9, 3, 10, 4):
        history.log({"a": 1}, step=step)

    (warning,) = warnings
    assert warning.startswith("step 9 is lower than the current step 10: the row is kept, marked late")


def test_the_sync_argument_is_ignored(tmp_path: Path) -> None:
    """The argument ``sync`` of older versions causes a warning and has no other effect."""
    warnings: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16)), warn=warnings.append)
    history.log({"a": 1}, sync=True)
    history.log({"a": 2}, None, None, False)  # noqa: FBT003 - by position, as W&B takes it
    history.log({"a": 3})

    assert steps_and_values(tmp_path) == [(0, {"a": 1}), (1, {"a": 2}), (2, {"a": 3})]
    assert {"log(sync=...) is deprecated and ignored"} == set(warnings)


def test_a_late_row_does_not_replace_later_values(history: RowLog) -> None:
    """The last value is the one at the greatest step; a key that only a late row has is included."""
    history.log({"a": 1, "n": {"x": 1}}, step=5, commit=True)
    history.log({"a": 2, "n": {"x": 2, "y": 2}, "only": 1}, step=3)
    history.log({"only": 0}, step=2)
    history.log({"y": 9, "n": 4}, step=1)
    history.log({"y": 8})

    assert history.last_values() == {"a": 1, "n": {"x": 1, "y": 2}, "only": 1, "y": 8}


def test_an_empty_row_closes_the_open_row_or_is_a_row(history: RowLog, tmp_path: Path) -> None:
    """log({}) closes the open row; without one it is a row without values."""
    history.log({"a": 1}, step=2)
    history.log({})
    history.log({})

    assert steps_and_values(tmp_path) == [(2, {"a": 1}), (3, {})]


def test_row_numbers_have_no_holes(history: RowLog, tmp_path: Path) -> None:
    """Each row has the next number, and calls that join a row repeat its number."""
    for step in (0, 0, 1, None, None, 9, 9, 2):
        history.log({"x": 1.0}, step=step)

    assert list(range(5)) == [row.seq for row in rows(tmp_path)]


@pytest.mark.parametrize("no", [False, 0, np.False_])
def test_false_values_do_not_commit(history: RowLog, tmp_path: Path, no: Any) -> None:
    """Zero and numpy's False are like False, with and without a step."""
    history.log({"a": 1}, commit=no)
    history.log({"b": 1}, commit=1)  # type: ignore[arg-type]
    history.log({"c": 1}, step=5, commit=no)
    history.log({"d": 1})

    assert steps_and_values(tmp_path) == [(0, {"a": 1, "b": 1}), (5, {"c": 1, "d": 1})]


def test_an_invalid_commit_is_refused(history: RowLog, tmp_path: Path) -> None:
    """Nothing of the call is recorded, and the next call is unaffected."""
    with pytest.raises(DataError, match="commit"):
        history.log({"a": 1}, commit="no")  # type: ignore[arg-type]
    history.log({"a": 2})

    assert steps_and_values(tmp_path) == [(0, {"a": 2})]


def test_numpy_integers_are_steps(history: RowLog, tmp_path: Path) -> None:
    """A step may be any type of integer."""
    history.log({"x": 1}, step=np.int32(4))  # type: ignore[arg-type]

    assert steps_and_values(tmp_path) == [(4, {"x": 1})]


@pytest.mark.parametrize("step", [True, 1.0, "1", 2**70])
def test_an_invalid_step_is_refused(history: RowLog, tmp_path: Path, step: Any) -> None:
    """A step that is not a 64-bit integer is refused before anything is recorded; the next call is unaffected."""
    with pytest.raises(DataError):
        history.log({"x": 1}, step=step)
    history.log({"x": 2})

    assert steps_and_values(tmp_path) == [(0, {"x": 2})]


def test_last_values_follow_the_rows(history: RowLog) -> None:
    """The last value of each key is returned; None changes nothing, dicts are merged, held values are not included."""
    history.log({"a": 1, "n": {"x": 1}})
    history.log({"a": 2, "n": {"y": 2}})
    history.log({"a": None, "n": {}})
    history.log({"a": None, "b": 1})
    history.log({"a": 5}, commit=False)

    assert history.last_values() == {"a": 2, "n": {"x": 1, "y": 2}, "b": 1}

    history.log({})

    assert history.last_values()["a"] == 5


def test_last_values_survive_a_change_of_segment(tmp_path: Path) -> None:
    """Values in a full segment are still included."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16), smallest=4096))
    history.log({"rare": 1.0})
    for value in range(200):
        history.log({"often": float(value)})

    assert history.last_values() == {"rare": 1.0, "often": 199.0}


def test_memory_for_key_lists_is_bounded(history: RowLog) -> None:
    """A program that creates new keys uses limited memory for lists of keys, and no last value is lost."""
    for number in range(2500):
        history.log({f"k{number}": 1.0})

    assert len(history.last_values()) == 2500


def define(history: RowLog, name: str, **warnings: Any) -> None:
    """Define a metric like ``run.define_metric()``."""
    nothing: dict[str, Any] = dict.fromkeys(("step_metric", "step_sync", "hidden", "summary", "goal", "overwrite"))
    history.define(build_metric(name, **(nothing | warnings)))


def test_the_last_value_of_the_step_metric_is_inserted(history: RowLog, tmp_path: Path) -> None:
    """A row that has a metric without its step metric gets the last value of the step metric, if there is one."""
    define(history, "loss", step_metric="epoch")
    history.log({"loss": 3})
    history.log({"epoch": 1, "loss": 2})
    for loss in (1.0, 0.5):
        history.log({"loss": loss})
    history.log({"other": 1.0})

    assert steps_and_values(tmp_path) == [
        (0, {"loss": 3}),
        (1, {"epoch": 1, "loss": 2}),
        (2, {"loss": 1.0, "epoch": 1}),
        (3, {"loss": 0.5, "epoch": 1}),
        (4, {"other": 1.0}),
    ]


def test_a_step_metric_logged_before_the_definition_is_inserted(history: RowLog, tmp_path: Path) -> None:
    """Its last value is inserted, also if it is held or nested in a dict, but not if it is late."""
    history.log({"epoch": 1.0, "n": {"batch": 7}})
    define(history, "loss", step_metric="epoch")
    define(history, "n.loss", step_metric="n.batch")
    history.log({"loss": 1.0, "n": {"loss": 1.0}})
    history.log({"epoch": 2.0}, commit=False)
    history.log({"loss": 0.5})
    history.log({"epoch": 0.5}, step=0)
    history.log({"loss": 0.25})

    assert [values for _, values in steps_and_values(tmp_path)[1:]] == [
        {"loss": 1.0, "epoch": 1.0, "n": {"loss": 1.0, "batch": 7}},
        {"epoch": 2.0, "loss": 0.5},
        {"epoch": 0.5},
        {"loss": 0.25, "epoch": 2.0},
    ]


def test_an_inserted_step_is_replaced_in_the_same_row(history: RowLog, tmp_path: Path) -> None:
    """A value of the step metric that is logged to the same row replaces the inserted one."""
    define(history, "loss", step_metric="epoch")
    history.log({"epoch": 1})
    history.log({"loss": 0.5}, commit=False)
    history.log({"epoch": 2})
    history.log({"loss": 0.4})

    assert [values for _, values in steps_and_values(tmp_path)] == [
        {"epoch": 1},
        {"loss": 0.5, "epoch": 2},
        {"loss": 0.4, "epoch": 2},
    ]


def test_overwriting_the_definition_ends_the_insertion(history: RowLog, tmp_path: Path) -> None:
    """A definition with overwrite and without a step metric removes the step metric."""
    define(history, "loss", step_metric="epoch")
    history.log({"epoch": 1.0, "loss": 3.0})
    history.log({"loss": 2.5})
    define(history, "loss", overwrite=True)
    history.log({"loss": 2.0})

    assert [values for _, values in steps_and_values(tmp_path)[1:]] == [{"loss": 2.5, "epoch": 1.0}, {"loss": 2.0}]


@pytest.mark.parametrize("value", [b"1234567", {1: "abcdef"}, (1, 2, 3, 4, 5, 6, 7, 8)])
def test_a_value_as_long_as_a_number_is_recorded_correctly(tmp_path: Path, value: Any) -> None:
    """A value whose encoding has the length of the previous number is recorded as in any other run."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, before in ((first, 1.0), (second, "x")):
        folder.mkdir()
        history = RowLog(SpoolWriter(folder, bytes(16)))
        history.log({"v": before})
        history.log({"v": value})

    expected = [plain_row(values, DEFAULT_LIMITS) for _, values in steps_and_values(second)][1]
    assert expected == [plain_row(values, DEFAULT_LIMITS) for _, values in steps_and_values(first)][1]
    shown = [LocalSummary(folder, bytes(16), Role.PRIMARY).values(2)["v"] for folder in (first, second)]
    assert [expected["v"]] * 2 == shown


def test_a_resumed_writer_can_begin_at_an_earlier_step(tmp_path: Path) -> None:
    """After a return to a checkpoint, rows continue from there; only steps below are late."""
    warnings: list[str] = []
    history = RowLog(SpoolWriter(tmp_path, bytes(16)), warn=warnings.append)
    history.go_on(10, again=True)
    history.log({"a": 1}, step=4)
    history.log({"b": 1}, step=4)
    history.log({"a": 2}, step=5)
    history.log({"b": 2})

    assert steps_and_values(tmp_path) == [(4, {"a": 1, "b": 1}), (5, {"a": 2, "b": 2})]
    assert warnings == []
    history.log({"late": 1}, step=5)
    assert len(warnings) == 1


def test_a_resumed_writer_inserts_the_last_steps(tmp_path: Path) -> None:
    """Rows without their step metric get the value that an earlier writer logged last."""
    history = RowLog(SpoolWriter(tmp_path, bytes(16)))
    history.go_on(10, [(("epoch",), 9, 3), (("n", "x"), 8, 1)])
    define(history, "loss", step_metric="epoch")
    history.log({"loss": 0.5})
    history.log({"late": 1}, step=4)
    history.log({"c": 1})

    assert steps_and_values(tmp_path) == [(10, {"loss": 0.5, "epoch": 3}), (4, {"late": 1}), (11, {"c": 1})]
    assert history.last_values()["n"] == {"x": 1}
