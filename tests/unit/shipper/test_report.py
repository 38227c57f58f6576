"""The report that finish() shows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runstream.shipper.delivery.report import KEYS, POINTS, Report
from runstream_schemas import values
from runstream_schemas.rows import pack_rows


def reported(rows: list[dict[str, Any]], *, block: int = 10) -> dict[str, Any]:
    """Return the report of rows in blocks."""
    report = Report()
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        report.add(pack_rows(part), len(part))
    keys: dict[str, Any] = values.load(report.dump())["keys"]
    return keys


@pytest.mark.parametrize("block", [1, 7, 100, 10_000])
def test_points_are_spread_evenly(block: int) -> None:
    """A sparkline has every n-th value, at most 40, whatever the size of blocks."""
    line = reported([{"loss": number} for number in range(10_000)], block=block)["loss"]

    steps = {after - before for before, after in zip(line["points"], line["points"][1:], strict=False)}
    assert (line["count"], line["last"], line["points"][0], steps) == (10_000, 9999, 0, {256})
    assert POINTS // 2 <= len(line["points"]) <= POINTS


def test_nested_keys_and_other_values() -> None:
    """A nested key is named by its path; texts and non-finite numbers have a last value; texts have no points."""
    keys = reported([{"a": {"b": math.inf}, "s": "first"}, {"a": {"b": 1.5}, "s": "x" * 500}])

    assert keys["a.b"] == {"points": [math.inf, 1.5], "last": 1.5, "count": 2}
    assert (keys["s"]["points"], keys["s"]["count"], len(keys["s"]["last"])) == ([], 2, 200)


def test_keys_are_bounded() -> None:
    """No more than ten thousand keys are reported."""
    keys = reported([{f"k{number}": 1 for number in range(KEYS + 10)}])

    assert len(keys) == KEYS


def test_report_continues_after_a_restart() -> None:
    """A restarted shipper continues the counts."""
    first = Report()
    first.add(pack_rows([{"x": number} for number in range(100)]), 100)
    second = Report()
    second.restore(values.load(first.dump()))

    second.add(pack_rows([{"x": number} for number in range(100, 200)]), 100)

    line = second.to_json()["keys"]["x"]
    assert (second.rows, line["count"], line["last"]) == (200, 200, 199)


def test_damaged_report_is_replaced() -> None:
    """A report that cannot be used is ignored."""
    report = Report()

    report.restore({"keys": {"x": 1}})

    assert (report.rows, report.to_json()["keys"]) == (0, {})
