"""Points in time as users type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runstream.cli.times import parse_point
from runstream.exceptions import UsageError

_NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", {}),
        ("90s", {"seconds": 90}),
        ("5m", {"minutes": 5}),
        ("30min", {"minutes": 30}),
        ("1.5h", {"hours": 1.5}),
        ("3 d ago", {"days": 3}),
        ("2w", {"weeks": 2}),
    ],
)
def test_an_age_is_before_now(text: str, ago: dict[str, float]) -> None:
    """An age has a number and a unit."""
    assert parse_point(text, _NOW) == _NOW - timedelta(**ago)


def test_dates_and_times_are_iso() -> None:
    """A time with a zone is converted; a date is midnight in the zone of this machine."""
    assert parse_point("2026-01-31T12:00+02:00", _NOW) == _NOW - timedelta(hours=2)
    assert parse_point("2026-01-30", _NOW) == datetime(2026, 1, 30).astimezone(UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "3 fortnights", "2026-13-01", "-1h", "99999999999w"])
def test_an_invalid_time_is_refused(text: str) -> None:
    """The message shows what is expected."""
    with pytest.raises(UsageError, match="Invalid time"):
        parse_point(text, _NOW)
