"""Values as people read them, for the templates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from runstream_schemas import values

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_LONGEST = 120
_LONGEST_EXACT = 2000
_LARGE, _SMALL = 1e6, 1e-3


def short(value: Any) -> str:
    """Return a value in a few characters: numbers with five significant digits, long texts shortened."""
    if isinstance(value, float) and math.isfinite(value):
        size = abs(value)
        return f"{value:.4g}" if size and (size >= _LARGE or size < _SMALL) else f"{value:.5g}"
    return _shortened(exact(value), _LONGEST)


def exact(value: Any) -> str:
    """Return a value as it is, a text without quotes, anything else as Python or JSON writes it."""
    if isinstance(value, str):
        return _shortened(value, _LONGEST_EXACT)
    return _shortened(repr(value) if isinstance(value, float) else values.dump(value), _LONGEST_EXACT)


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return "–"  # noqa: RUF001  # a dash for people
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02d}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d {whole % _DAY // _HOUR:02d}h"


def ago(seconds: float) -> str:
    """Return how long ago a moment was, given in seconds since 1970."""
    passed = datetime.now(tz=UTC).timestamp() - seconds
    return "just now" if passed < _MINUTE else f"{duration(passed).split()[0]} ago"


def iso(seconds: float) -> str:
    """Return a moment as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(seconds: float) -> str:
    """Return a moment's time of day in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%H:%M:%S")


def count(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def pairs(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested dicts with their dotted paths."""
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            yield from pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
