"""The recorders of runs that are disabled or have not begun; that of a recorded run is in ``spool_recorder``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UsageError
from runstream.tracking.lifecycle.delivery_status import RunStatus
from runstream.tracking.values.foreign import Unreadable, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runstream.tracking.values.entries import SummaryEntry


def _refuse(*_arguments: Any, **_keywords: Any) -> None:
    raise UsageError("This run has not begun: use the run that runstream.init() returns")


def _ignore(*_arguments: Any, **_keywords: Any) -> None:
    """Do nothing."""


class DisabledRecorder:
    """Records nothing and accepts everything; keeps the last values for programs that read them.

    The methods are those of :class:`SpoolRecorder`.
    """

    counter = 0
    should_stop = False

    def __init__(self) -> None:
        self._summary: dict[str, Any] = {}

    record_config = define = record_alert = record_file = record_artifact = mark_preempting = finish = check = _ignore

    def logger(self) -> Callable[..., None]:
        """Return a function that keeps the last values and, as in W&B, only refuses data that is not a dict."""
        return self._log

    def _log(self, data: Any, *_: Any) -> None:
        if not isinstance(data, Mapping):
            raise TypeError(f"Invalid data of type {type(data).__name__}: log() expects a dict of metrics")
        self._summary.update((key, value) for key, value in items_of(data) if not isinstance(value, Unreadable))

    def record_summary(self, entries: Sequence[SummaryEntry], apply: Callable[[dict[str, Any]], None]) -> None:
        """Apply the values to the summary."""
        del entries
        apply(self._summary)

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

    record_config = record_summary = record_alert = record_file = record_artifact = _refuse
