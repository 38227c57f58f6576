"""What the pages show, and how values are written on them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runstream_consumers.web import filters, view


def test_keys_are_grouped_by_their_prefix() -> None:
    """What stands before the last slash is the group; keys without one come last."""
    keys = ["loss", "val/loss", "train/a/loss", "train/loss", "epoch"]
    expected = [
        ("train", ["train/loss"]),
        ("train/a", ["train/a/loss"]),
        ("val", ["val/loss"]),
        ("metrics", ["epoch", "loss"]),
    ]
    assert expected == view.groups(keys, "metrics")


def test_hidden_metrics_have_no_chart() -> None:
    """An exact definition goes before a glob, whichever hides."""
    metrics: list[dict[str, Any]] = [
        {"name": "debug/*", "glob": True, "hidden": True},
        {"name": "debug/kept", "glob": False, "hidden": False},
        {"name": "epoch", "glob": False, "hidden": True},
        {"name": "loss", "glob": False, "hidden": None},
    ]
    keys = ["debug/gone", "debug/kept", "epoch", "loss", "other"]
    assert view.shown(keys, metrics) == ["debug/kept", "loss", "other"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456789, "0.12346"),
        (1234567.0, "1.235e+06"),
        (1e-7, "1e-07"),
        (0.0, "0"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (3, "3"),
        (True, "true"),
        (None, "null"),
        ("text", "text"),
        ([1, "a"], '[1,"a"]'),
    ],
)
def test_values_are_short(value: Any, expected: str) -> None:
    """Numbers have few digits, anything else stands as JSON or as it is."""
    assert expected == filters.short(value)


def test_long_values_are_cut() -> None:
    """However long a value is, the page stays small."""
    assert filters.short("x" * 1000) == "x" * 119 + "…"
    assert len(filters.exact("x" * 10_000)) == 2000


def test_nested_values_have_dotted_paths() -> None:
    """Nested dicts become one list; an empty dict is a value."""
    assert list(filters.pairs({"a": {"b": 1, "c": {"d": 2}}, "e": {}})) == [("a.b", 1), ("a.c.d", 2), ("e", {})]


def test_times_are_told_in_words_and_in_full() -> None:
    """The same moment as time of day, as ISO text, and durations in two units."""
    assert filters.clock(1_767_323_045.5) == "03:04:05"
    assert filters.iso(1_767_323_045.5) == "2026-01-02T03:04:05.500Z"
    assert [filters.duration(seconds) for seconds in (5, 65, 3_700, 90_000)] == ["5s", "1m 05s", "1h 01m", "1d 01h"]


def test_names_are_quoted_in_paths() -> None:
    """A slash or a space in a name does not change the path."""
    assert view.project_path("a b", "c/d") == "/a%20b/c%2Fd"
