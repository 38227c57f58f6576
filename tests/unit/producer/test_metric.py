"""Metric definitions, and step metrics that are inserted."""

from __future__ import annotations

from typing import Any

import pytest

from runstream.exceptions import Error
from runstream.tracking.rows.metric import Metric, build_metric
from runstream.tracking.rows.step_metrics import StepMetrics, found

NOTHING: dict[str, Any] = dict.fromkeys(("step_metric", "step_sync", "hidden", "summary", "goal", "overwrite"))


def test_a_definition_has_the_given_arguments() -> None:
    """Arguments are parsed; those that are not given have no value."""
    options = {"step_metric": "epoch", "summary": "Min,best", "goal": "maximum", "hidden": True, "overwrite": True}
    metric = build_metric("train/*", **(NOTHING | options))

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
    ("name", "options"),
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
def test_an_invalid_argument_is_refused(name: Any, options: dict[str, Any]) -> None:
    """As in W&B, it is a plain Error that names the function."""
    with pytest.raises(Error, match="define_metric") as raised:
        build_metric(name, **(NOTHING | options))
    assert raised.type is Error


def steps_of(*definitions: tuple[str, dict[str, Any]]) -> StepMetrics:
    """Return the step metrics of definitions."""
    steps = StepMetrics()
    for name, options in definitions:
        steps.define(build_metric(name, **(NOTHING | options)))
    return steps


def test_step_metrics_of_a_row_are_missing() -> None:
    """Names and patterns select them; a value in the row is not missing, and a step metric does not need itself."""
    steps = steps_of(("val/*", {"step_metric": "epoch"}), ("loss", {"step_metric": "batch"}))

    assert steps.missing({"val/acc": 1}) == ["epoch"]
    assert steps.missing({"val/acc": 1, "loss": 1, "val/x": 2}) == ["epoch", "batch"]
    assert steps.missing({"val/acc": 1, "epoch": 4}) == []
    assert steps.missing({"other": 1}) == []
    assert steps_of(("*", {"step_metric": "epoch"})).missing({"epoch": 1}) == []


def test_a_dotted_name_matches_nested_keys() -> None:
    """Metric and step metric may be nested in dicts or have dots in their names."""
    steps = steps_of(("train.loss", {"step_metric": "train.epoch"}))

    assert steps.missing({"train": {"loss": 1}}) == ["train.epoch"]
    assert steps.missing({"train.loss": 1}) == ["train.epoch"]
    assert steps.missing({"train": {"loss": 1, "epoch": 1}}) == []
    assert found({"train": {"epoch": 3, "x": 1}}, "train.epoch") == {"train": {"epoch": 3}}
    assert found({"a.b": {"c.d": 1}}, "a.b.c.d") == {"a.b": {"c.d": 1}}
    assert found({"train": {"epoch": 3}}, "train") == {}
    assert found({"train": 3}, "train.epoch") == {}


def test_an_exact_name_takes_precedence_over_a_pattern() -> None:
    """The order does not matter, nor that the exact name has no step metric; of two patterns the longer one applies."""
    exact, glob = ("val/loss", {"summary": "min"}), ("val/*", {"step_metric": "epoch"})

    assert steps_of(exact, glob).missing({"val/loss": 1}) == []
    assert steps_of(glob, exact).missing({"val/loss": 1}) == []
    assert steps_of(glob, ("*", {"step_metric": "batch"})).missing({"val/acc": 1}) == ["epoch"]


def test_later_definitions_are_merged() -> None:
    """Arguments that are not given keep their value; overwrite removes the step metric, and step_sync disables it."""
    first = ("loss", {"step_metric": "epoch"})

    assert steps_of(first, ("loss", {"summary": "min"})).missing({"loss": 1}) == ["epoch"]
    assert steps_of(first, ("loss", {"step_metric": "batch"})).missing({"loss": 1}) == ["batch"]
    assert steps_of(first, ("loss", {"step_sync": False})).missing({"loss": 1}) == []
    assert not steps_of(first, ("loss", {"overwrite": True}))
