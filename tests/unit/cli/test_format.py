"""Values as text in a terminal."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from runstream.terminal.formatting import ago, clock, duration, show


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456789, "0.12346"),
        (1e-9, "1e-09"),
        (12, "12"),
        (True, "true"),
        (None, "null"),
        (math.nan, "nan"),
        ("text", "text"),
        ([1, 2], "[1, 2]"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_values_are_short(value: Any, expected: str) -> None:
    """Numbers have five digits; other values are as JSON or as they are."""
    assert expected == show(value)


def test_long_text_is_cut() -> None:
    """A long text ends with an ellipsis."""
    assert show("x" * 100) == "x" * 59 + "…"


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A name that holds an escape sequence can't rewrite the screen."""
    assert show("a\x1b[2Jb\x00\n") == "a�[2Jb��"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (61, "1m 01s"), (3_660, "1h 01m"), (90_000, "1d 01h")],
)
def test_durations_have_two_units(seconds: float, expected: str) -> None:
    """The two largest units are shown."""
    assert expected == duration(seconds)


def test_times_are_relative_or_of_the_day() -> None:
    """A time is shown as how long ago it was, or as time of day in UTC."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert ago("2026-01-02T03:03:00Z", now) == "1m ago"
    assert ago(None, now) == "-"
    assert clock(now.timestamp()) == "03:04:05"
