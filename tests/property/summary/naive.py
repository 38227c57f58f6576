"""A naive model of the summary: lists of all values, and statistics by definition."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from runstream_schemas.events import LogEvent
from runstream_schemas.rows import flatten, unpack_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.property.summary.runs import Placed

Path = tuple[str, ...]
#: Step, offset and order of a row, its writer, and a value in it.
Cell = tuple[int, int, int, bytes, Any]


def cells(placed: Iterable[Placed]) -> dict[Path, list[Cell]]:
    """Return all values except None of each key, in order of precedence."""
    found: dict[Path, list[Cell]] = {}
    for item in placed:
        for path, cell in _cells_of(item):
            found.setdefault(path, []).append(cell)
    for column in found.values():
        column.sort(key=lambda cell: cell[:3])
    return found


def _cells_of(item: Placed) -> Iterator[tuple[Path, Cell]]:
    event = item.event
    if not isinstance(event, LogEvent):
        return
    for row, step, order in zip(unpack_rows(event), event.steps.tolist(), event.orders.tolist(), strict=True):
        for path, value in flatten(row):
            if value is not None:
                yield path, (step, item.offset, order, event.writer.id, value)


def overlaid(columns: dict[Path, list[Cell]]) -> dict[str, Any]:
    """Return the nested dict after setting all values one after another."""
    tree: dict[str, Any] = {}
    steps = sorted((cell[:3], path, cell[4]) for path, column in columns.items() for cell in map(_comparable, column))
    for _, path, (value,) in steps:
        inner = tree
        for name in path[:-1]:
            if not isinstance(inner.get(name), dict):
                inner[name] = {}
            inner = inner[name]
        inner[path[-1]] = value
    return tree


def _comparable(cell: Cell) -> tuple[int, int, int, bytes, list[Any]]:
    # Paths of one row differ, so that sorting never compares values.
    return (*cell[:4], [cell[4]])


def numbers(column: list[Cell]) -> list[float]:
    """Return the numbers of a key, without booleans."""
    return [cell[4] for cell in column if isinstance(cell[4], int | float) and not isinstance(cell[4], bool)]


def aggregate(column: list[Cell], name: str) -> Any:
    """Return the value of an aggregation of a key, "absent" if it has none."""
    if name in ("first", "last"):
        return column[0 if name == "first" else -1][4]
    found = numbers(column)
    if not found:
        return "absent"
    if any(math.isnan(number) for number in found):
        return math.nan
    if name in ("min", "max"):
        return min(found) if name == "min" else max(found)
    return _mean(found)


def _mean(found: list[float]) -> float:
    infinite = {number for number in found if math.isinf(number)}
    if len(infinite) == 2:
        return math.nan
    if infinite:
        return infinite.pop()
    return float(sum(map(Fraction, found)) / len(found))
