"""What every row of a page has beside its values: its step, times, writer and marks, as arrays. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.tables.row_table import Mask, Numbers, Source
from runstream_schemas.events import Column

STEP, TIMESTAMP, RUNTIME, WRITER, LATE, HIDDEN = "_step", "_timestamp", "_runtime", "_writer", "_late", "_hidden"
#: All of them, in their order in a row. Rows that are not hidden do not have the last one.
FIELDS = (STEP, TIMESTAMP, RUNTIME, WRITER, LATE, HIDDEN)

_MICROSECONDS = 1e6
#: Times above this, those after the year 2255, are not exact as floats.
_EXACT = 2**53
#: How near to a half the last digit may be that NumPy rounds as Python does.
_NEAR_HALF = 1e-3


class Rows(Protocol):
    """Rows of which each has these."""

    @property
    def steps(self) -> Numbers:
        """Their steps."""

    @property
    def times(self) -> Numbers:
        """Their times, microseconds since 1970."""

    @property
    def late(self) -> Mask:
        """Whether they are late."""

    @property
    def hidden(self) -> Mask:
        """Whether they are hidden."""

    @property
    def source(self) -> Numbers:
        """The numbers of their sources."""

    @property
    def sources(self) -> Sequence[Source]:
        """The sources."""

    def __len__(self) -> int: ...


def value_columns(columns: Sequence[Column], started: float | None) -> list[Column]:
    """Return the columns of logged values, without those that a field of every row replaces."""
    return [column for column in columns if not is_replaced(column.path, started)]


def is_replaced(path: Sequence[str], started: float | None) -> bool:
    """Return whether a field of every row replaces a column."""
    return path[0] in {STEP, TIMESTAMP, WRITER, LATE} or (path[0] == RUNTIME and started is not None)


def positions(table: Rows, started: float | None, wanted: Collection[str] = FIELDS) -> dict[str, NDArray[Any]]:
    """Return the wanted fields of every row as arrays; of ``_writer`` the numbers of its sources.

    ``started`` is when the run started, seconds since 1970; without it, there is no ``_runtime``.
    """
    found: dict[str, NDArray[Any]] = {}
    times = _seconds(table.times) if {TIMESTAMP, RUNTIME} & set(wanted) else None
    for name in FIELDS:
        if name not in wanted:
            continue
        if name == TIMESTAMP and times is not None:
            found[name] = times
        elif name == RUNTIME and times is not None and started is not None:
            found[name] = np.maximum(0.0, _rounded(times - started))
        elif name == STEP:
            found[name] = table.steps
        elif name == WRITER:
            found[name] = table.source
        elif name == LATE:
            found[name] = table.late
        elif name == HIDDEN and table.hidden.any():
            found[name] = table.hidden
    return found


def writer_names(table: Rows) -> Sequence[str]:
    """Return the writer of each source, hexadecimal."""
    return [source.writer.hex() for source in table.sources]


def _seconds(times: NDArray[np.int64]) -> NDArray[np.float64]:
    if len(times) and int(times.max()) >= _EXACT:
        return np.array([time / _MICROSECONDS for time in times.tolist()])
    return times / _MICROSECONDS


def _rounded(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers rounded to six digits, as round() does."""
    scaled = numbers * _MICROSECONDS
    found = np.rint(scaled) / _MICROSECONDS
    for index in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _NEAR_HALF).tolist():
        found[index] = round(float(numbers[index]), 6)
    return found
