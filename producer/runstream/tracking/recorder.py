"""What stands behind a run: takes what is logged, and ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runstream.tracking.outcome import Outcome

#: [scope, operation, path, value]
ConfigEntry = list[Any]
#: [operation, path, value]
SummaryEntry = list[Any]


class Recorder(Protocol):
    """Where a run's facade hands everything on to."""

    @property
    def counter(self) -> int:
        """The step of the next row without one, or that of the open row."""

    def logger(self) -> Callable[..., None]:
        """Return what records one call of ``log()``: a function of data, step, commit and sync."""

    def record_config(self, entries: Sequence[ConfigEntry]) -> None:
        """Record changes of attributes, config, metric definitions or metadata."""

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Record values that were set by hand, and apply them to the last values."""

    def last_values(self) -> dict[str, Any]:
        """Return the last value of every key."""

    def synchronise(self, name: str, step_metric: str) -> None:
        """Insert the last value of a step metric into rows that have a metric and lack it."""

    def finish(self, outcome: Outcome) -> None:
        """Record the end and wait for delivery within the limit; a second call does nothing."""


class DisabledRecorder:
    """Records nothing and refuses nothing; keeps what was set in the summary by hand."""

    counter = 0

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}

    def logger(self) -> Callable[..., None]:
        """Return what does nothing."""
        return _ignore

    def record_config(self, entries: Sequence[ConfigEntry]) -> None:
        """Do nothing."""

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Apply the values to the summary."""
        del entries
        apply(self._summary)

    def last_values(self) -> dict[str, Any]:
        """Return what was set by hand."""
        return self._summary

    def synchronise(self, name: str, step_metric: str) -> None:
        """Do nothing."""

    def finish(self, outcome: Outcome) -> None:
        """Do nothing."""


def _ignore(data: Any, step: Any = None, commit: Any = None, sync: Any = None) -> None:
    """Take what ``log()`` takes."""
