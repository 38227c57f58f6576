"""Values as text in a terminal."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_LONGEST = 60


def show(value: Any) -> str:
    """Return a value in a few characters: numbers with five significant digits, long texts shortened."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.5g}"
    text = value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict | list) else str(value)
    text = printable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def printable(text: str) -> str:
    """Return the text without control characters, which could rewrite the reader's terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR:02d}h"


def moment(text: str | None) -> datetime | None:
    """Return the time of an ISO text."""
    return None if text is None else datetime.fromisoformat(text)


def ago(text: str | None, now: datetime) -> str:
    """Return how long ago an ISO time was."""
    then = moment(text)
    return "-" if then is None else f"{duration((now - then).total_seconds()).split()[0]} ago"


def clock(seconds: float) -> str:
    """Return a time of day in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%H:%M:%S")
