"""Metric definitions cost about the same however many there are: counted in instructions, not in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream.tracking.rows.metric import Metric
from runstream.tracking.rows.step_metrics import StepMetrics
from tests.costs import growth

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("glob", [False, True])
def test_many_definitions(glob: bool) -> None:  # noqa: FBT001
    """Twice as many definitions, and rows with one key each, take twice as much work."""

    def make(size: int) -> Callable[[], object]:
        names = [f"k{number:06}{'*' if glob else ''}" for number in range(size)]
        metrics = [Metric(name=name, step_metric=f"s{name[:-1]}", step_sync=True) for name in names]

        def work() -> None:
            known = StepMetrics()
            for metric in metrics:
                known.define(metric)
            for metric in metrics:
                assert known.missing({metric.name.replace("*", "x"): 1}) == [metric.step_metric]

        return work

    assert growth(make, 100) < 2.4


def test_an_axis_is_inserted_while_a_definition_needs_it() -> None:
    """A name that is an axis of any definition is not matched by the pattern for all metrics."""
    known = StepMetrics()
    known.define(Metric(name="*", step_metric="epoch", step_sync=True))
    known.define(Metric(name="a", step_metric="x", step_sync=True))
    assert known.missing({"x": 1}) == []
    known.define(Metric(name="a", step_metric="y", step_sync=True))
    assert known.missing({"x": 1}) == ["epoch"]
    assert known.missing({"a": 1, "b": 1}) == ["y", "epoch"]
    known.define(Metric(name="*", overwrite=True))
    known.define(Metric(name="a", overwrite=True))
    assert not known
