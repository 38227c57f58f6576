"""Convert rows (nested dicts) to columns and back, and divide blocks by rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType, LogEvent

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = Mapping[str, Any]
Path = tuple[str, ...]

_INT64 = range(-(2**63), 2**63)
_DTYPES = {ColumnType.FLOAT64: np.float64, ColumnType.INT64: np.int64, ColumnType.BOOL: np.bool_}
_TYPES: Mapping[type, ColumnType] = {
    float: ColumnType.FLOAT64,
    int: ColumnType.INT64,
    bool: ColumnType.BOOL,
    type(None): ColumnType.NULL,
}


def pack_rows(rows: Sequence[Row]) -> list[Column]:
    """Return the columns of rows: one per path and type of value, in order of appearance.

    A key whose values have several types becomes several columns of the same path with disjoint rows. Integers beyond
    64 bits are converted to floats; all but float, int, bool and None becomes JSON text. Empty dicts are omitted.
    """
    keys = rows[0].keys() if rows else ()
    if all(row.keys() == keys for row in rows):
        return [column for key in keys for column in _columns_of((key,), [row[key] for row in rows], None)]
    return _pack_ragged(rows)


def unpack_rows(event: LogEvent) -> list[dict[str, Any]]:
    """Return the rows of a block as nested dicts, without step and time; the inverse of :func:`pack_rows`.

    An event without data (dropped, deleted) has no rows. Columns of an unknown type are omitted.
    """
    # Not the count of the event, which may be two billion for an event without data.
    size = len(event.times)
    rows: list[dict[str, Any]] = [{} for _ in range(size)]
    for column in event.columns:
        if column.type is ColumnType.UNKNOWN:
            continue
        *parents, last = column.path
        index = range(size) if column.rows is None else column.rows.tolist()
        for row, value in zip(index, column_values(column, size), strict=True):
            target = rows[row]
            for name in parents:
                inner = target.get(name)
                if not isinstance(inner, dict):
                    inner = target[name] = {}
                target = inner
            target[last] = value
    return rows


def column_values(column: Column, count: int) -> list[Any]:
    """Return the values of a column in a block of ``count`` rows, one per row that has one."""
    if column.values is not None:
        numbers: list[Any] = column.values.tolist()
        return numbers
    if column.type is ColumnType.JSON:
        return [values.load(text) for text in column.texts]
    return [None] * (count if column.rows is None else len(column.rows))


def weight(columns: Iterable[Column], count: int) -> int:
    """Return the number of values in columns of ``count`` rows, each counted once for every name of its path."""
    return sum(len(column.path) * (count if column.rows is None else len(column.rows)) for column in columns)


def cut(event: LogEvent, start: int, stop: int) -> LogEvent:
    """Return the block with the rows ``start`` to ``stop`` (exclusive) of a block."""
    return replace(
        event,
        header=event.header.with_records(event.seq + start, stop - start),
        orders=event.orders[start:stop],
        steps=event.steps[start:stop],
        times=event.times[start:stop],
        columns=[part for column in event.columns if (part := _cut_column(column, start, stop)) is not None],
    )


def flatten(row: Row) -> Iterator[tuple[Path, Any]]:
    """Yield the paths and values of a nested row, depth first."""
    for key, value in row.items():
        if isinstance(value, dict):
            for path, inner in flatten(value):
                yield (key, *path), inner
        else:
            yield (key,), value


def _pack_ragged(rows: Sequence[Row]) -> list[Column]:
    gathered: dict[str, tuple[list[int], list[Any]]] = {}
    for number, row in enumerate(rows):
        for key, value in row.items():
            index, items = gathered.setdefault(key, ([], []))
            index.append(number)
            items.append(value)
    return [
        column
        for key, (index, items) in gathered.items()
        for column in _columns_of((key,), items, None if len(index) == len(rows) else index)
    ]


def _columns_of(path: Path, items: list[Any], index: list[int] | None) -> Iterable[Column]:
    kinds = set(map(type, items))
    if len(kinds) == 1 and dict not in kinds:
        try:
            return [_column(path, _TYPES.get(kinds.pop(), ColumnType.JSON), items, index)]
        except OverflowError:
            pass
    return _split_by_type(path, items, range(len(items)) if index is None else index, whole=index is None)


def _split_by_type(path: Path, items: list[Any], index: Sequence[int], *, whole: bool) -> Iterable[Column]:
    parts: dict[tuple[Path, ColumnType], tuple[list[int], list[Any]]] = {}
    for number, item in zip(index, items, strict=True):
        for inner, value in flatten({"": item}):
            kind = _TYPES.get(type(value), ColumnType.JSON)
            wide = kind is ColumnType.INT64 and value not in _INT64
            numbers, part = parts.setdefault((path + inner[1:], ColumnType.FLOAT64 if wide else kind), ([], []))
            numbers.append(number)
            part.append(_as_float(value) if wide else value)
    for (inner_path, kind), (numbers, part) in parts.items():
        everywhere = whole and len(numbers) == len(items)
        yield _column(inner_path, kind, part, None if everywhere else numbers)


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _column(path: Path, kind: ColumnType, items: list[Any], index: list[int] | None) -> Column:
    rows = None if index is None else np.array(index, dtype=np.uint32)
    if (dtype := _DTYPES.get(kind)) is not None:
        packed: NDArray[Any] = np.array(items, dtype=dtype)
        return Column(path=path, type=kind, rows=rows, values=packed)
    texts = [values.dump(item) for item in items] if kind is ColumnType.JSON else ()
    return Column(path=path, type=kind, rows=rows, texts=texts)


def _cut_column(column: Column, start: int, stop: int) -> Column | None:
    if column.rows is None:
        first, last, rows = start, stop, None
    else:
        first, last = (int(edge) for edge in np.searchsorted(column.rows, (start, stop)))
        if first == last:
            return None
        rows = column.rows[first:last] - np.uint32(start)
        if last - first == stop - start:
            rows = None
    return replace(
        column,
        rows=rows,
        values=None if column.values is None else column.values[first:last],
        texts=column.texts[first:last],
    )
