"""Values as text in a terminal."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from runstream.terminal.formatting import format_age, format_clock, format_duration, format_value


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
    """Numbers have five significant digits; other values are shown as JSON or text."""
    assert expected == format_value(value)


def test_long_text_is_shortened() -> None:
    """A long text ends with an ellipsis."""
    assert format_value("x" * 100) == "x" * 59 + "…"


def test_control_characters_are_replaced() -> None:
    """A name with an escape sequence cannot change the terminal."""
    assert format_value("a\x1b[2Jb\x00\n") == "a�[2Jb��"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 seconds"),
        (0, "0 seconds"),
        (59.9, "59 seconds"),
        (61, "1 minute and 1 second"),
        (3_660, "1 hour and 1 minute"),
        (90_000, "1 day and 1 hour"),
        (253_402_300_799, "1,000 years"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, expected: str) -> None:
    """The two largest units are shown."""
    assert expected == format_duration(seconds)


def test_times_are_relative_or_times_of_day() -> None:
    """A time is shown as the time since then, or as time of day in UTC."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert format_age("2026-01-02T03:03:00Z", now) == "a minute ago"
    assert format_age(None, now) == "-"
    assert format_clock(now.timestamp()) == "03:04:05"
    assert format_clock(253_402_300_799_999_999 / 1e6) == "23:59:59"
