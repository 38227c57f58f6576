"""Step metrics that are inserted where a row lacks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class StepMetrics:
    """Remembers the last values of step metrics, and which metrics they are the x axis of."""

    def __init__(self) -> None:
        self._exact: dict[str, str] = {}
        self._globs: dict[str, str] = {}
        self._last: dict[str, Any] = {}

    def add(self, name: str, step_metric: str) -> None:
        """Make a metric the x axis of another, or of all that a glob matches."""
        if name.endswith("*"):
            self._globs[name[:-1]] = step_metric
        else:
            self._exact[name] = step_metric
        self._last.setdefault(step_metric, None)

    def inserted(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a row with the last values of the step metrics that it lacks."""
        if not isinstance(data, dict):
            return data
        missing = {}
        for key in data:
            step_metric = self._of(key) if isinstance(key, str) else None
            if step_metric is not None and step_metric not in data and self._last[step_metric] is not None:
                missing[step_metric] = self._last[step_metric]
        for step_metric in self._last:
            if data.get(step_metric) is not None:
                self._last[step_metric] = data[step_metric]
        return {**data, **missing} if missing else data

    def _of(self, key: str) -> str | None:
        if key in self._last:
            return None
        if key in self._exact:
            return self._exact[key]
        return next((step_metric for prefix, step_metric in self._globs.items() if key.startswith(prefix)), None)
