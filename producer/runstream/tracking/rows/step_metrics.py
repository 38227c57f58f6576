"""Selection of the step metrics to insert into a row, by metric definitions. Pure."""

from __future__ import annotations

from collections import Counter
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
        #: By prefix, and the lengths of the prefixes, longest first.
        self._globs: dict[str, _Axis] = {}
        self._lengths: list[int] = []
        #: How many definitions insert each of the axes.
        self._axes: Counter[str] = Counter()

    def define(self, metric: Metric) -> None:
        """Add a definition to the earlier definitions of its name."""
        known, name = (self._globs, metric.name[:-1]) if metric.glob else (self._exact, metric.name)
        before = known.get(name, _Axis())
        after = known[name] = before.then(metric)
        if before.inserted is not None:
            self._axes[before.inserted] -= 1
            if not self._axes[before.inserted]:
                del self._axes[before.inserted]
        if after.inserted is not None:
            self._axes[after.inserted] += 1
        if metric.glob and len(name) not in self._lengths:
            self._lengths = sorted([*self._lengths, len(name)], reverse=True)

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
        prefixes = (name[:length] for length in self._lengths if length <= len(name))
        return next((self._globs[prefix].inserted for prefix in prefixes if prefix in self._globs), None)


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
