"""The charts of a run: how the tables in its rows are drawn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.media.base import ChartValue
from runstream_schemas.attributes import CHARTS
from runstream_schemas.events import Operation, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runstream.media.base import MediaPlace


class RunCharts:
    """Records the definition of a chart as an attribute of the run when it is logged for the first time, or changed.

    ``record`` appends changes of the config to the spool.
    """

    def __init__(self, record: Callable[[Sequence[list[Any]]], None]) -> None:
        self._record = record
        self._known: dict[str, Mapping[str, Any]] = {}

    def add(self, key: str, chart: Mapping[str, Any]) -> None:
        """Record the chart of a key, unless it is known; raises UsageError after the end of the run."""
        if self._known.get(key) != chart:
            self._record([[Scope.ATTRIBUTE.value, Operation.SET.value, [CHARTS, key], dict(chart)]])
            self._known[key] = chart


def with_tables(items: list[tuple[Any, Any]], charts: RunCharts | None, place: MediaPlace) -> list[tuple[Any, Any]]:
    """Return the keys and values of a row with the tables of charts in place of these, which are recorded with it."""
    if not any(issubclass(kind, ChartValue) for kind in {type(value) for _, value in items}):
        return items
    found = []
    for key, value in items:
        if isinstance(value, ChartValue) and isinstance(key, str) and key:
            name, table, chart = value.parts(key)
            found.append((name, table))
            if charts is not None:
                place.when_kept(partial(charts.add, key, chart))
        else:
            found.append((key, value))
    return found
