"""What stands behind a run: takes what is logged, and ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Record one call of ``log()``."""

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

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,  # noqa: FBT001 - the signature of W&B
        sync: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Do nothing."""

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
