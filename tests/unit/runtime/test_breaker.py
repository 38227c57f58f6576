"""When repeated failures stop a consumer."""

from __future__ import annotations

from uuid import UUID

from runstream_consumers.runtime.progress.breaker import CircuitBreaker


def runs(*numbers: int) -> list[UUID]:
    """Return the keys of runs."""
    return [UUID(int=number) for number in numbers]


def breaker() -> CircuitBreaker:
    """Return a breaker that opens for three runs, and half of them, within a minute."""
    return CircuitBreaker(window=60.0, min_runs=3, share=0.5)


def test_few_failing_runs_do_not_open_it() -> None:
    """Two failing runs are tolerated, however often they fail."""
    assert breaker().open_for(0.0, dict.fromkeys(runs(1, 2), 0.0)) == set()


def test_enough_failing_runs_open_it() -> None:
    """Three failing runs open it, and it names them."""
    assert breaker().open_for(10.0, dict.fromkeys(runs(1, 2, 3), 5.0)) == set(runs(1, 2, 3))


def test_a_small_share_of_failing_runs_does_not_open_it() -> None:
    """Three failing runs among seven are not half of them; among six they are."""
    made = breaker()
    made.record_applied(0.0, runs(4, 5, 6))
    assert made.open_for(1.0, dict.fromkeys(runs(1, 2, 3), 1.0)) == set(runs(1, 2, 3))
    made.record_applied(1.0, runs(7))
    assert made.open_for(1.0, dict.fromkeys(runs(1, 2, 3), 1.0)) == set()


def test_failures_and_successes_expire() -> None:
    """What happened longer ago than the window does not count."""
    made = breaker()
    made.record_applied(0.0, runs(4, 5, 6, 7))
    assert made.open_for(61.0, dict.fromkeys(runs(1, 2, 3), 61.0)) == set(runs(1, 2, 3))
    assert made.open_for(61.0, dict.fromkeys(runs(1, 2), 61.0) | dict.fromkeys(runs(3), 0.0)) == set()


def test_a_run_that_was_applied_again_no_longer_fails() -> None:
    """A success after the failure clears a run; one before it does not."""
    made = breaker()
    failures = dict.fromkeys(runs(1, 2, 3), 10.0)
    made.record_applied(9.0, runs(1))
    assert made.open_for(10.0, failures) == set(runs(1, 2, 3))
    made.record_applied(11.0, runs(1))
    assert made.open_for(11.0, failures) == set()
