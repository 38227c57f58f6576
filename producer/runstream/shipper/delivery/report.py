"""``report.json``: what ``finish()`` shows of a run, collected while its rows are delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType
from runstream_schemas.rows import column_values

#: Maximum number of points of a sparkline.
POINTS = 40
#: Maximum number of keys.
KEYS = 10_000
_LONGEST_TEXT = 200
_NUMBERS = {ColumnType.FLOAT64, ColumnType.INT64}


class Report:
    """Counts, last values and evenly spaced points of every key; its memory does not grow with the rows."""

    def __init__(self) -> None:
        self._keys: dict[str, _KeyReport] = {}
        self.rows = 0
        #: Whether something was added since the report was last written.
        self.changed = False

    def add(self, columns: Iterable[Column], count: int) -> None:
        """Add the columns of ``count`` rows."""
        self.rows += count
        self.changed = True
        for column in columns:
            name = column.path[0] if len(column.path) == 1 else ".".join(column.path)
            line = self._keys.get(name)
            if line is None:
                if len(self._keys) >= KEYS:
                    continue
                line = self._keys[name] = _KeyReport()
            line.add(column, count)

    def to_json(self) -> dict[str, Any]:
        """Return the report: rows, and for each key ``points`` (of numbers only), ``last`` and ``count``."""
        keys = {
            name: {"points": line.points, "last": line.last, "count": line.count} for name, line in self._keys.items()
        }
        return {"version": 1, "rows": self.rows, "keys": keys}

    def dump(self) -> str:
        """Return the report as text; non-finite numbers are represented as in ``docs/contract.md``."""
        self.changed = False
        return values.dump(self.to_json())

    def restore(self, data: Mapping[str, Any]) -> None:
        """Continue from a report that an earlier shipper wrote."""
        try:
            for name, item in data["keys"].items():
                self._keys[str(name)] = _KeyReport(list(item["points"]), item["last"], int(item["count"]))
            self.rows = int(data["rows"])
        except (LookupError, TypeError, ValueError, AttributeError):
            self._keys.clear()
            self.rows = 0


@dataclass(slots=True)
class _KeyReport:
    """One key. Every ``stride``-th value is kept; if they become too many, every second one is removed."""

    points: list[Any] = field(default_factory=list)
    last: Any = None
    count: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        while self.stride * POINTS < self.count:
            self.stride *= 2

    def add(self, column: Column, rows: int) -> None:
        if column.values is None or column.type not in _NUMBERS:
            items = column_values(column, rows)
            self.count += len(items)
            last = items[-1]
            self.last = last[:_LONGEST_TEXT] if isinstance(last, str) else last if not isinstance(last, list) else None
            return
        numbers = column.values
        first = -self.count % self.stride
        self.count += len(numbers)
        self.last = numbers[-1].item()
        if first < len(numbers):
            self.points.extend(numbers[first :: self.stride].tolist())
            while len(self.points) > POINTS:
                self.points = self.points[::2]
                self.stride *= 2
