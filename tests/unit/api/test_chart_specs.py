"""Vega-Lite specifications of charts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runstream_consumers.web.media.chart_specs import spec

_GOLDEN = Path(__file__).parents[2] / "parity" / "golden"
_RECORDED = ("plot__bar", "plot__histogram", "plot__line", "plot__pr_curve", "plot__scatter")


def _chart(definition: str, **fields: str) -> dict[str, Any]:
    return {"definition": definition, "fields": fields, "strings": {"title": "T"}, "table": "t"}


@pytest.mark.parametrize("case", _RECORDED)
def test_the_charts_of_wandb_are_drawn(case: str) -> None:
    """Each chart of the recorded cases has a specification that uses its columns."""
    (run,) = json.loads((_GOLDEN / f"{case}.json").read_text())["outcome"]["runs"].values()
    for chart in run["charts"].values():
        columns = [str(column) for column in chart["fields"].values() if column]
        drawn = spec(chart, columns)
        assert drawn is not None
        assert drawn["data"] == {"name": "table"}
        text = json.dumps(drawn)
        assert all(f'"field": "{column}"' in text for column in columns)


@pytest.mark.parametrize(
    "chart",
    [
        _chart("me/spec", x="a", y="b"),
        _chart("wandb/line/v0", x="a", y="missing"),
        _chart("wandb/line/v0", x="a"),
        {"definition": None, "fields": None, "strings": None, "table": "t"},
    ],
)
def test_a_chart_that_cannot_be_drawn_has_no_specification(chart: dict[str, Any]) -> None:
    """Its definition is unknown, or a column is missing."""
    assert spec(chart, ["a", "b"]) is None


def test_names_of_columns_are_no_paths() -> None:
    """Vega-Lite would read dots and brackets as the path in an object."""
    drawn = spec(_chart("wandb/scatter/v0", x="a.b[0]", y="c'd"), ["a.b[0]", "c'd"])
    assert drawn is not None
    assert drawn["encoding"]["x"]["field"] == r"a\.b\[0\]"
    assert drawn["encoding"]["y"]["field"] == r"c\'d"
    assert drawn["encoding"]["x"]["title"] == "a.b[0]"
