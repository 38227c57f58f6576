"""Points in time as users type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from runstream.exceptions import UsageError

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_point(text: str, now: datetime) -> datetime:
    """Return the time that a text names: an age such as ``2h`` or ``3d``, a date or a time in ISO 8601, or ``now``.

    A time without a zone is in the zone of this machine. Raises UsageError for any other text.
    """
    if text == "now":
        return now
    try:
        if found := _AGO.fullmatch(text.strip().removesuffix(" ago")):
            return now - timedelta(**{_UNITS[found[2]]: float(found[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"Invalid time {text!r}: expected an age such as 30min, 2h or 3d, or a date such as 2026-01-31 or"
            " 2026-01-31T12:00"
        ) from None
