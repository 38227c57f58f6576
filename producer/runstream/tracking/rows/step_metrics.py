"""Selection of the step metrics to insert into a row, by metric definitions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstream.tracking.rows.metric import Metric


class _Axis(NamedTuple):
    """The combined definitions of one name; None if not specified."""

    step_metric: str | None = None
    step_sync: bool | None = None

    def then(self, later: Metric) -> _Axis:
        """Return the result of a later definition: it replaces the fields it specifies, or all if it overwrites."""
        if later.overwrite:
            return _Axis(later.step_metric, later.step_sync)
        return _Axis(
            self.step_metric if later.step_metric is None else later.step_metric,
            self.step_sync if later.step_sync is None else later.step_sync,
        )

    @property
    def inserted(self) -> str | None:
        """The step metric to insert, if any."""
        return self.step_metric if self.step_sync else None


class StepMetrics:
    """The step metric of each metric; exact names take precedence over globs, longer globs over shorter ones."""

    def __init__(self) -> None:
        self._exact: dict[str, _Axis] = {}
        #: By prefix, longest first.
        self._globs: dict[str, _Axis] = {}
        self._axes: frozenset[str] = frozenset()

    def define(self, metric: Metric) -> None:
        """Add a definition to the earlier definitions of its name."""
        known, name = (self._globs, metric.name[:-1]) if metric.glob else (self._exact, metric.name)
        known[name] = known.get(name, _Axis()).then(metric)
        self._globs = dict(sorted(self._globs.items(), key=lambda item: -len(item[0])))
        axes = (axis.inserted for axis in (*self._exact.values(), *self._globs.values()))
        self._axes = frozenset(axis for axis in axes if axis is not None)

    def __bool__(self) -> bool:
        """Whether any step metric may have to be inserted."""
        return bool(self._axes)

    def missing(self, row: Mapping[str, Any]) -> list[str]:
        """Return the step metrics that are missing in a row; the names of a nested key are joined with dots."""
        names = dict.fromkeys(_names(row))
        wanted = dict.fromkeys(axis for name in names if (axis := self._of(name)) is not None)
        return [axis for axis in wanted if axis not in names]

    def _of(self, name: str) -> str | None:
        if (exact := self._exact.get(name)) is not None:
            return exact.inserted
        if name in self._axes:  # a glob for all metrics does not apply to their axis
            return None
        return next((axis.inserted for prefix, axis in self._globs.items() if name.startswith(prefix)), None)


def found(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the part of nested values with a name (a key, or keys joined with dots), or an empty dict."""
    if (value := values.get(name)) is not None:
        return {} if isinstance(value, dict) else {name: value}
    for place in (place for place, letter in enumerate(name) if letter == "."):
        inner = values.get(name[:place])
        if isinstance(inner, dict) and (part := found(inner, name[place + 1 :])):
            return {name[:place]: part}
    return {}


def _names(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _names(value, f"{above}{key}.")
        else:
            yield above + key
