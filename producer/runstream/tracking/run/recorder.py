"""The recorder of a run: records what is logged, and ends the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from runstream.exceptions import UsageError
from runstream.tracking.lifecycle.delivery_status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runstream.tracking.lifecycle.outcome import Outcome
    from runstream.tracking.rows.metric import Metric
    from runstream.tracking.values.entries import ConfigEntry, SummaryEntry


class Recorder(Protocol):
    """What :class:`Run` delegates to."""

    @property
    def counter(self) -> int:
        """The step of the open row, or else of the next row that is logged without one."""

    def logger(self) -> Callable[..., None]:
        """Return the function that records a call of ``log()``; its arguments are data, step, commit and sync."""

    def record_config(self, entries: Sequence[ConfigEntry]) -> None:
        """Record changes of attributes, config, metric definitions or metadata."""

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Record assignments to the summary, and apply them to the last values."""

    def last_values(self) -> dict[str, Any]:
        """Return the last value of every key."""

    def summary(self) -> dict[str, Any]:
        """Return the summary as this process knows it; it must not be changed."""

    def define(self, metric: Metric) -> None:
        """Apply a metric definition to later rows: insert the step metric into those that lack it."""

    def record_alert(self, alert: Mapping[str, Any]) -> None:
        """Record an alert."""

    def mark_preempting(self) -> None:
        """Record that the process is about to be preempted, and have it delivered at once."""

    @property
    def should_stop(self) -> bool:
        """Whether a stop of the run is requested."""

    def status(self) -> RunStatus:
        """Return the progress of delivery."""

    def detach(self) -> None:
        """Leave the run without ending it."""

    def finish(self, outcome: Outcome) -> None:
        """Record the end, and wait for delivery up to the limit; a second call does nothing."""


def _refuse(*_arguments: Any, **_keywords: Any) -> None:
    raise UsageError("This run has not begun: use the run that runstream.init() returns")


def _ignore(*_arguments: Any, **_keywords: Any) -> None:
    """Do nothing."""


class DisabledRecorder:
    """Records nothing and accepts everything; keeps the last values for programs that read them."""

    counter = 0
    should_stop = False

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}

    record_config = define = record_alert = mark_preempting = detach = finish = _ignore

    def logger(self) -> Callable[..., None]:
        """Return a function that keeps the last values and, as in W&B, only refuses data that is not a dict."""
        return self._log

    def _log(self, data: Any, step: Any = None, commit: Any = None, sync: Any = None) -> None:
        del step, commit, sync
        if not isinstance(data, Mapping):
            raise TypeError(f"Invalid data of type {type(data).__name__}: log() expects a dict of metrics")
        self._summary.update(data)

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Apply the values to the summary."""
        del entries
        apply(self._summary)

    def last_values(self) -> dict[str, Any]:
        """Return the last values, which are the summary too."""
        return self._summary

    def summary(self) -> dict[str, Any]:
        """Return the last values."""
        return self._summary

    def status(self) -> RunStatus:
        """Return that there is nothing to deliver."""
        return RunStatus(sync_items_total=0, sync_items_pending=0, sync_time=None)


class UnstartedRecorder(DisabledRecorder):
    """The recorder of a run that ``init()`` did not begin: it refuses to record."""

    def logger(self) -> Callable[..., None]:
        """Return a function that refuses every row."""
        return _refuse

    record_config = record_summary = record_alert = _refuse
