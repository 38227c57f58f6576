"""Values, durations and times as text in a terminal."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import humanize

from runstream.terminal.terminal import shorten

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
#: humanize subtracts a duration from the current date.
_LONGEST = timedelta(days=365_000)
#: End of the year 9999, seconds since 1970.
_LAST_SECOND = 253_402_300_799


def format_value(value: Any) -> str:
    """Return a value as short text: numbers with five significant digits, long texts shortened."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.5g}"
    return shorten(json.dumps(value) if isinstance(value, dict | list) else str(value))


def format_duration(seconds: float) -> str:
    """Return a duration in about two units, such as ``1 hour and 5 minutes``."""
    duration = min(timedelta(seconds=max(0, int(seconds))), _LONGEST)
    unit = "seconds" if duration < _HOUR else "minutes" if duration < _DAY else "hours"
    return humanize.precisedelta(duration, minimum_unit=unit, format="%d")


def parse_time(text: str | None) -> datetime | None:
    """Return the time of an ISO 8601 text."""
    return None if text is None else datetime.fromisoformat(text)


def format_age(text: str | None, now: datetime) -> str:
    """Return how long ago an ISO 8601 time was."""
    then = parse_time(text)
    return "-" if then is None else humanize.naturaltime(now - then)


def format_clock(seconds: float) -> str:
    """Return a time of day in UTC."""
    return moment(seconds).strftime("%H:%M:%S")


def moment(seconds: float) -> datetime:
    """Return a time, which a client's clock may have rounded beyond the last year that calendars have."""
    return datetime.fromtimestamp(min(seconds, _LAST_SECOND), tz=UTC)
