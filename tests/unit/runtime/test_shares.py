"""Which messages of a batch wait because their run has used its share of the time."""

from __future__ import annotations

from runstream_consumers.runtime.progress.shares import ShareLimits, Shares
from runstream_schemas.topics import RunPath

COSTLY, OTHER = (RunPath(entity="e", project="p", run_id=name) for name in ("costly", "other"))
LARGE = 1_000


def shares() -> Shares:
    """Return shares of 1 s for a run, and 2 s for all."""
    return Shares(ShareLimits(run=1.0, batch=2.0, large=LARGE))


def test_a_run_waits_once_its_time_is_used() -> None:
    """A run may exceed its time by one message; then its messages wait, and those of others do not."""
    found = shares()
    found.charge(COSTLY, 1.0)
    assert not found.is_exceeded
    assert not found.must_wait(COSTLY, LARGE)
    found.charge(COSTLY, 0.1)
    assert found.is_exceeded
    assert found.must_wait(COSTLY, 1)
    assert not found.must_wait(OTHER, LARGE)


def test_large_messages_wait_once_the_time_of_all_runs_is_used() -> None:
    """Costly messages of many runs are limited together; small ones of other runs are applied."""
    found = shares()
    for number in range(3):
        found.charge(RunPath(entity="e", project="p", run_id=str(number)), 0.9)
    assert found.is_exceeded
    assert found.must_wait(OTHER, LARGE)
    assert not found.must_wait(OTHER, LARGE - 1)


def test_nothing_waits_without_limits() -> None:
    """By default, as in tests of consumers and dry runs, messages are applied in the order of the topic."""
    found = Shares(ShareLimits())
    found.charge(COSTLY, 1e9)
    assert not found.is_exceeded
    assert not found.must_wait(COSTLY, LARGE)
