"""The charts of a run: how the tables in its rows are drawn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runstream.media.base import ChartValue
from runstream_schemas.attributes import CHARTS
from runstream_schemas.events import Operation, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runstream.media.base import MediaPlace

#: Dicts within each other in which charts are looked for.
_DEPTH = 8


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
    """Return the keys and values of a row with the tables of charts in place of these, which are recorded with it.

    The table of a chart within a dict gets a key of its own.
    """
    kinds = {type(value) for _, value in items}
    if dict not in kinds and not any(issubclass(kind, ChartValue) for kind in kinds):
        return items
    found = []
    for key, value in items:
        inner = [*_charts_within(value, (key,))] if issubclass(type(key), str) and str.__len__(key) else []
        for name, chart in inner:
            table_key, table, definition = chart.parts(name)
            found.append((table_key, table))
            if charts is not None:
                place.when_kept(partial(charts.add, name, definition))
        rest = _without_charts(value) if inner else value
        if not inner or rest:  # only of our own dict is it certain that it has a truth value
            found.append((key, rest))
    return found


def _charts_within(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ChartValue]]:
    """Yield the charts within a value, each with its key: of a chart within a dict, the keys joined by dots.

    Types are compared, since the class that an object names may be anything. A dict may contain itself.
    """
    if issubclass(type(value), ChartValue):
        yield ".".join(path), value
    elif type(value) is dict and len(path) <= _DEPTH:
        for name, inner in value.items():
            if (text := _text_of(name)) is not None:
                yield from _charts_within(inner, (*path, text))


def _without_charts(value: Any, depth: int = 1) -> Any:
    if type(value) is not dict or depth > _DEPTH:
        return None if issubclass(type(value), ChartValue) else value
    return {
        name: _without_charts(inner, depth + 1)
        for name, inner in value.items()
        if not issubclass(type(inner), ChartValue) or _text_of(name) is None
    }


def _text_of(name: Any) -> str | None:
    """Return a name as text; None for an object whose text is not certain to exist."""
    if issubclass(type(name), str):
        return str.__str__(name)
    return str(name) if type(name) in {int, float, bool} else None
