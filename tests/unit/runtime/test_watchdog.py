"""When a consumer counts as stuck."""

from __future__ import annotations

from runstream_consumers.runtime.consuming.loop import Watchdog


def test_standing_still_behind_the_end_is_reported_after_the_patience() -> None:
    """A position that does not move while there is something to read is stuck, not before the patience is over."""
    watchdog = Watchdog[str](60.0)
    assert watchdog.observe(0.0, {"a": 5}, {"a": 9}) == []
    assert watchdog.observe(60.0, {"a": 5}, {"a": 12}) == []
    assert watchdog.observe(61.0, {"a": 5}, {"a": 12}) == ["a"]


def test_any_move_begins_anew() -> None:
    """Slow is not stuck."""
    watchdog = Watchdog[str](60.0)
    watchdog.observe(0.0, {"a": 5}, {"a": 9})
    watchdog.observe(50.0, {"a": 6}, {"a": 9})
    assert watchdog.observe(100.0, {"a": 6}, {"a": 9}) == []
    assert watchdog.observe(111.0, {"a": 6}, {"a": 9}) == ["a"]


def test_nothing_to_read_is_no_standstill() -> None:
    """At the end, or where the end is not known, time does not count; what comes later begins anew."""
    watchdog = Watchdog[str](60.0)
    watchdog.observe(0.0, {"a": 9, "b": 1}, {"a": 9})
    assert watchdog.observe(100.0, {"a": 9, "b": 1}, {"a": 10}) == []
    assert watchdog.observe(150.0, {"a": 9, "b": 1}, {"a": 10}) == []


def test_forgetting_begins_anew() -> None:
    """A standstill for a known reason is not held against it."""
    watchdog = Watchdog[str](60.0)
    watchdog.observe(0.0, {"a": 5}, {"a": 9})
    watchdog.forget()
    assert watchdog.observe(100.0, {"a": 5}, {"a": 9}) == []
