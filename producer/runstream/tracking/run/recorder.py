"""What stands behind a run: takes what is logged, and ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from runstream.exceptions import UsageError
from runstream.terminal.terminal import Terminal
from runstream.tracking.lifecycle.delivery_status import RunStatus
from runstream.tracking.run.backend import RunBackend
from runstream.tracking.startup.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runstream.settings import Settings
    from runstream.tracking.lifecycle.outcome import Outcome
    from runstream.tracking.rows.metric import Metric

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

    def summary(self) -> dict[str, Any]:
        """Return the summary as this process knows it, not to be changed."""

    def define(self, metric: Metric) -> None:
        """Follow a metric definition, which was recorded: insert step metrics into rows that lack them."""

    def record_alert(self, alert: Mapping[str, Any]) -> None:
        """Record an alert."""

    def mark_preempting(self) -> None:
        """Record that the process is about to be preempted, and have that sent at once."""

    @property
    def should_stop(self) -> bool:
        """Whether somebody asked for the run to be stopped."""

    def status(self) -> RunStatus:
        """Return how far delivery is."""

    def detach(self) -> None:
        """Let go of the run without an end."""

    def finish(self, outcome: Outcome) -> None:
        """Record the end and wait for delivery within the limit; a second call does nothing."""


class DisabledRecorder:
    """Records nothing and refuses nothing; keeps the last values, for programs that look them up."""

    counter = 0

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}

    def logger(self) -> Callable[..., None]:
        """Return what shows the last values, and refuses only what is no dict, as in W&B."""
        return self._log

    def _log(self, data: Any, step: Any = None, commit: Any = None, sync: Any = None) -> None:
        del step, commit, sync
        if not isinstance(data, Mapping):
            raise TypeError(f"log() takes a dict of metrics, not a value of type {type(data).__name__}")
        self._summary.update(data)

    def record_config(self, entries: Sequence[ConfigEntry]) -> None:
        """Do nothing."""

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Apply the values to the summary."""
        del entries
        apply(self._summary)

    def last_values(self) -> dict[str, Any]:
        """Return the last values."""
        return self._summary

    def summary(self) -> dict[str, Any]:
        """Return the last values."""
        return self._summary

    def define(self, metric: Metric) -> None:
        """Do nothing."""

    def record_alert(self, alert: Mapping[str, Any]) -> None:
        """Do nothing."""

    def mark_preempting(self) -> None:
        """Do nothing."""

    should_stop = False

    def status(self) -> RunStatus:
        """Return that nothing is to be delivered."""
        return RunStatus(sync_items_total=0, sync_items_pending=0, sync_time=None)

    def detach(self) -> None:
        """Do nothing."""

    def finish(self, outcome: Outcome) -> None:
        """Do nothing."""


class UnstartedRecorder(DisabledRecorder):
    """Stands behind a run that ``init()`` did not make: it refuses what would be recorded."""

    def logger(self) -> Callable[..., None]:
        """Return what refuses every row."""
        return _refuse

    def record_config(self, entries: Sequence[ConfigEntry]) -> None:
        """Refuse."""
        _refuse(entries)

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Refuse."""
        _refuse(entries, apply)

    def record_alert(self, alert: Mapping[str, Any]) -> None:
        """Refuse."""
        _refuse(alert)


def unstarted_backend(settings: Settings) -> RunBackend:
    """Return what stands behind a run that has not begun."""
    identity = Identity(
        entity=settings.entity, project=settings.project, run_id=settings.run_id or "", name=settings.run_name or ""
    )
    return RunBackend(
        recorder=UnstartedRecorder(),
        identity=identity,
        terminal=Terminal(silent=settings.silent, quiet=settings.quiet),
        folder="",
        started=0.0,
        ended=lambda _: None,
    )


def _refuse(*_arguments: Any, **_keywords: Any) -> None:
    raise UsageError("this run has not begun: runs are begun by runstream.init()")
