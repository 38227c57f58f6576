"""Recognizing and drawing histograms, and reading values that look like them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runstream_consumers.web import view
from runstream_consumers.web.filters import bars, pairs
from runstream_consumers.web.histograms import Histogram, histogram_of
from runstream_consumers.web.rendering import render

_KIND = {"_type": "histogram"}


@pytest.mark.parametrize(
    ("value", "edges"),
    [
        ({**_KIND, "bins": [0, 1, 2.5], "values": [1, 2]}, [0.0, 1.0, 2.5]),
        ({**_KIND, "packedBins": {"min": -1, "size": 0.5, "count": 2}, "values": [1, 2]}, [-1.0, -0.5, 0.0]),
    ],
)
def test_both_forms_are_histograms(value: dict[str, Any], edges: list[float]) -> None:
    """Edges are given one by one, or by the first edge, the size and the number of bins."""
    assert histogram_of(value) == Histogram(edges, [1.0, 2.0])


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"bins": [0, 1], "values": [1]},
        {**_KIND, "bins": [0, 1], "values": [1, 2]},
        {**_KIND, "bins": [0, math.nan], "values": [1]},
        {**_KIND, "bins": [0, 10**400], "values": [1]},
        {**_KIND, "bins": "ab", "values": [1]},
        {**_KIND, "bins": [1, 0], "values": [1]},
        {**_KIND, "bins": [0, 1, 2], "values": [1e308, 1e308]},
        {**_KIND, "values": [True]},
        {**_KIND, "packedBins": {"min": 0, "size": 1, "count": 1e9}, "values": [1]},
        {**_KIND, "packedBins": {"min": 0, "size": 1e308, "count": 900}, "values": [1] * 900},
        {**_KIND, "bins": list(range(2000)), "values": [1] * 1999},
    ],
)
def test_other_values_are_no_histograms(value: Any) -> None:
    """A dict that is not complete, not finite or too long is shown as it is."""
    assert histogram_of(value) is None


def test_bars_fill_their_area() -> None:
    """The highest bar has the whole height; bars have the width of their bins; empty and flat histograms are drawn."""
    assert bars(Histogram([0.0, 1.0, 4.0], [5.0, 10.0]), 40, 20) == [(0, 10, 9.5, 10), (10, 0, 29.5, 20)]
    assert bars(Histogram([2.0, 2.0], [0.0]), 40, 20) == [(0, 20, 0.5, 0)]


def test_histogram_is_one_value_of_the_summary() -> None:
    """Its parts are neither listed nor drawn as curves."""
    summary = {"w": {**_KIND, "bins": [0, 1], "values": [3]}, "a": {"loss": 1}}
    assert dict(pairs(summary)) == {"w": Histogram([0.0, 1.0], [3.0]), "a.loss": 1}
    assert view.chart_keys(["w.packedBins.min", "wide", "a.loss"], ["w"]) == ["a.loss", "w", "wide"]


def test_search_needs_every_word_in_any_case() -> None:
    """Words are found anywhere in a key, in any order."""
    items = [("train/Loss", 1), ("val/loss", 2), ("val/acc", 3)]
    assert view.matching(items, "LOSS  val") == [("val/loss", 2)]
    assert view.matching(items, " ") == items


def test_lone_surrogate_does_not_break_a_page() -> None:
    """A text that UTF-8 cannot express is shown with a replacement."""
    assert "? · Runstream" in render("problem.html", title="\ud800", message="a", again=False)
