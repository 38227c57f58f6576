"""Definitions of metrics, and step metrics that are inserted."""

from __future__ import annotations

from typing import Any

import pytest

from runstream.exceptions import UsageError
from runstream.tracking.metric import Metric, checked_metric
from runstream.tracking.step_metrics import StepMetrics

NOTHING: dict[str, Any] = dict.fromkeys(("step_metric", "step_sync", "hidden", "summary", "goal", "overwrite"))


def test_a_definition_is_what_was_said() -> None:
    """Arguments are parsed, and what was not said stays unsaid."""
    said = {"step_metric": "epoch", "summary": "Min, best", "goal": "max", "hidden": True, "overwrite": True}
    metric = checked_metric("train/*", **(NOTHING | said))

    assert metric.as_record() == {
        "name": "train/*",
        "glob": True,
        "step_metric": "epoch",
        "step_sync": None,
        "hidden": True,
        "summary": ["min", "best"],
        "goal": "maximize",
        "overwrite": True,
    }
    assert Metric(name="loss") == checked_metric("loss", **NOTHING)
    assert checked_metric("x", **(NOTHING | {"step_metric": Metric(name="epoch")})).step_metric == "epoch"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", {}),
        (3, {}),
        ("a*b", {}),
        ("x", {"step_metric": ""}),
        ("x", {"step_metric": "e*"}),
        ("x", {"summary": "median"}),
        ("x", {"summary": ["min"]}),
        ("x", {"goal": "least"}),
        ("x", {"goal": ""}),
    ],
)
def test_what_makes_no_sense_is_refused(name: Any, said: dict[str, Any]) -> None:
    """An error names the argument."""
    with pytest.raises(UsageError, match="define_metric"):
        checked_metric(name, **(NOTHING | said))


def test_the_last_step_is_inserted() -> None:
    """A row with a metric but without its step metric gets the last value of that."""
    steps = StepMetrics()
    steps.add("val/*", "epoch")
    steps.add("loss", "batch")

    assert steps.inserted({"val/acc": 1}) == {"val/acc": 1}
    assert steps.inserted({"epoch": 3, "batch": 7}) == {"epoch": 3, "batch": 7}
    assert steps.inserted({"val/acc": 2}) == {"val/acc": 2, "epoch": 3}
    assert steps.inserted({"loss": 2}) == {"loss": 2, "batch": 7}
    assert steps.inserted({"val/acc": 2, "epoch": 4}) == {"val/acc": 2, "epoch": 4}
    assert steps.inserted({"other": 1}) == {"other": 1}
