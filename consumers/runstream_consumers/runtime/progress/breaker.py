"""A circuit breaker: decides whether failures point to the consumer's code rather than to single messages. Pure.

A message that fails is quarantined and its neighbors are kept. A bug fails on the messages of many runs, and would
quarantine the whole stream. Runs are counted, not messages: one run may send thousands of messages that fail alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class CircuitBreaker:
    """Knows the runs whose messages this process has applied; times are seconds of one clock, passed by the caller."""

    #: Seconds for which a failure, or a success, counts.
    window: float
    #: The least number of failing runs that opens the breaker …
    min_runs: int
    #: … and their least share of all runs with messages in the window.
    share: float
    _applied: dict[UUID, float] = field(default_factory=dict)
    _pruned: float = float("-inf")

    def record_applied(self, now: float, runs: Iterable[UUID]) -> None:
        """Note that messages of runs were applied without an unexpected exception."""
        self._applied.update(dict.fromkeys(runs, now))
        if now - self._pruned > self.window / 10:
            self._pruned = now
            self._applied = {run: time for run, time in self._applied.items() if now - time <= self.window}

    def open_for(self, now: float, failures: Mapping[UUID, float]) -> set[UUID]:
        """Return the failing runs if they are enough to stop the consumer, else an empty set.

        ``failures`` are the times of the last failure of each run; one that was applied later no longer counts.
        """
        recent = {run for run, time in self._applied.items() if now - time <= self.window}
        failing = {
            run
            for run, time in failures.items()
            if now - time <= self.window and time >= self._applied.get(run, float("-inf"))
        }
        is_open = len(failing) >= self.min_runs and len(failing) >= self.share * len(failing | recent)
        return failing if is_open else set()
