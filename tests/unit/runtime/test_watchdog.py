"""When a consumer is regarded as stuck."""

from __future__ import annotations

from runstream_consumers.runtime.consuming.loop import Watchdog


def test_a_stuck_position_is_reported_after_the_limit() -> None:
    """A position that does not move while there are messages is reported once the time limit has passed."""
    watchdog = Watchdog[str](60.0)
    assert watchdog.observe(0.0, {"a": 5}, {"a": 9}) == []
    assert watchdog.observe(60.0, {"a": 5}, {"a": 12}) == []
    assert watchdog.observe(61.0, {"a": 5}, {"a": 12}) == ["a"]


def test_progress_resets_the_time() -> None:
    """Slow progress is not reported."""
    watchdog = Watchdog[str](60.0)
    watchdog.observe(0.0, {"a": 5}, {"a": 9})
    watchdog.observe(50.0, {"a": 6}, {"a": 9})
    assert watchdog.observe(100.0, {"a": 6}, {"a": 9}) == []
    assert watchdog.observe(111.0, {"a": 6}, {"a": 9}) == ["a"]


def test_a_consumer_at_the_end_is_not_stuck() -> None:
    """Time at the end of a partition, or without a known end, is not included."""
    watchdog = Watchdog[str](60.0)
    watchdog.observe(0.0, {"a": 9, "b": 1}, {"a": 9})
    assert watchdog.observe(100.0, {"a": 9, "b": 1}, {"a": 10}) == []
    assert watchdog.observe(150.0, {"a": 9, "b": 1}, {"a": 10}) == []


def test_forget_resets_the_time() -> None:
    """Time before a known interruption is not included."""
    watchdog = Watchdog[str](60.0)
    watchdog.observe(0.0, {"a": 5}, {"a": 9})
    watchdog.forget()
    assert watchdog.observe(100.0, {"a": 5}, {"a": 9}) == []
