"""Definitions of metrics, and step metrics that are inserted."""

from __future__ import annotations

from typing import Any

import pytest

from runstream.exceptions import Error
from runstream.tracking.rows.metric import Metric, build_metric
from runstream.tracking.rows.step_metrics import StepMetrics, found

NOTHING: dict[str, Any] = dict.fromkeys(("step_metric", "step_sync", "hidden", "summary", "goal", "overwrite"))


def test_a_definition_is_what_was_said() -> None:
    """Arguments are parsed, and what was not said stays unsaid."""
    said = {"step_metric": "epoch", "summary": "Min,best", "goal": "maximum", "hidden": True, "overwrite": True}
    metric = build_metric("train/*", **(NOTHING | said))

    assert metric.as_record() == {
        "name": "train/*",
        "glob": True,
        "step_metric": "epoch",
        "step_sync": True,
        "hidden": True,
        "summary": ["min", "best"],
        "goal": "maximize",
        "overwrite": True,
    }
    assert Metric(name="loss") == build_metric("loss", **NOTHING)
    assert build_metric("x", **(NOTHING | {"step_metric": Metric(name="epoch")})).step_metric == "epoch"
    assert build_metric("x", **(NOTHING | {"step_metric": "epoch", "step_sync": False})).step_sync is False
    assert Metric(name="x") == build_metric("x", **(NOTHING | {"step_metric": "", "summary": ""}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", {}),
        (3, {}),
        ("a*b", {}),
        ("*/loss", {}),
        ("a/**", {}),
        ("x", {"step_metric": ["epoch"]}),
        ("x", {"summary": "median"}),
        ("x", {"summary": ["min"]}),
        ("x", {"goal": "least"}),
        ("x", {"goal": ""}),
        ("x", {"goal": 3}),
        ("x", {"summary": "min, max"}),
        ("x", {"summary": "min,"}),
        ("x", {"step_sync": 1}),
        ("x", {"hidden": "yes"}),
        ("x", {"overwrite": 0}),
    ],
)
def test_what_makes_no_sense_is_refused(name: Any, said: dict[str, Any]) -> None:
    """The error is W&B's, of the root class, and names the argument."""
    with pytest.raises(Error, match="define_metric") as raised:
        build_metric(name, **(NOTHING | said))
    assert raised.type is Error


def steps_of(*definitions: tuple[str, dict[str, Any]]) -> StepMetrics:
    """Return what definitions come to."""
    steps = StepMetrics()
    for name, said in definitions:
        steps.define(build_metric(name, **(NOTHING | said)))
    return steps


def test_a_row_lacks_the_step_metrics_of_its_metrics() -> None:
    """Globs and exact names say which; what is in the row is not missing, and an axis is not its own metric."""
    steps = steps_of(("val/*", {"step_metric": "epoch"}), ("loss", {"step_metric": "batch"}))

    assert steps.missing({"val/acc": 1}) == ["epoch"]
    assert steps.missing({"val/acc": 1, "loss": 1, "val/x": 2}) == ["epoch", "batch"]
    assert steps.missing({"val/acc": 1, "epoch": 4}) == []
    assert steps.missing({"other": 1}) == []
    assert steps_of(("*", {"step_metric": "epoch"})).missing({"epoch": 1}) == []


def test_a_name_with_dots_reaches_nested_keys() -> None:
    """Both the metric and its axis may lie in dicts, or be spelled with dots."""
    steps = steps_of(("train.loss", {"step_metric": "train.epoch"}))

    assert steps.missing({"train": {"loss": 1}}) == ["train.epoch"]
    assert steps.missing({"train.loss": 1}) == ["train.epoch"]
    assert steps.missing({"train": {"loss": 1, "epoch": 1}}) == []
    assert found({"train": {"epoch": 3, "x": 1}}, "train.epoch") == {"train": {"epoch": 3}}
    assert found({"a.b": {"c.d": 1}}, "a.b.c.d") == {"a.b": {"c.d": 1}}
    assert found({"train": {"epoch": 3}}, "train") == {}
    assert found({"train": 3}, "train.epoch") == {}


def test_an_exact_name_goes_before_a_glob() -> None:
    """Whichever came first, and although it has no axis; of globs the longest counts."""
    exact, glob = ("val/loss", {"summary": "min"}), ("val/*", {"step_metric": "epoch"})

    assert steps_of(exact, glob).missing({"val/loss": 1}) == []
    assert steps_of(glob, exact).missing({"val/loss": 1}) == []
    assert steps_of(glob, ("*", {"step_metric": "batch"})).missing({"val/acc": 1}) == ["epoch"]


def test_later_definitions_are_merged_in() -> None:
    """What is not said stays; overwriting takes the axis away; step_sync alone switches it off."""
    first = ("loss", {"step_metric": "epoch"})

    assert steps_of(first, ("loss", {"summary": "min"})).missing({"loss": 1}) == ["epoch"]
    assert steps_of(first, ("loss", {"step_metric": "batch"})).missing({"loss": 1}) == ["batch"]
    assert steps_of(first, ("loss", {"step_sync": False})).missing({"loss": 1}) == []
    assert not steps_of(first, ("loss", {"overwrite": True}))
