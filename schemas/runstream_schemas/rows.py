"""Convert rows (nested dicts) to columns and back, and choose and join rows of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, takewhile
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
    return unpack_columns(event.columns, len(event.times))


def unpack_columns(
    columns: Iterable[Column],
    size: int,
    read: Callable[[str], Any] | None = None,
    others: Mapping[str, Sequence[Any]] | None = None,
) -> list[dict[str, Any]]:
    """Return ``size`` rows of columns as nested dicts. Columns of an unknown type are omitted.

    Args:
        columns: The columns.
        size: The number of rows.
        read: Makes values of JSON texts, by default what was logged.
        others: What every row has in addition, by name: one item per row.
    """
    known = [column for column in columns if column.type is not ColumnType.UNKNOWN]
    # Most columns have one name and a value in every row: rows of them are made at once, in the order of the columns.
    plain = list(takewhile(lambda column: len(column.path) == 1 and column.rows is None, known))
    last = {} if others is None else others
    first = {} if len(plain) < len(known) else last
    names = [*(column.path[0] for column in plain), *first]
    lists = [*(column_values(column, size, read) for column in plain), *first.values()]
    rows = [dict(zip(names, items, strict=True)) for items in zip(*lists, strict=True)] if names else _empty(size)
    for column in known[len(plain) :]:
        _fill(rows, column, read)
    if last and first is not last:
        for row, items in zip(rows, zip(*last.values(), strict=True), strict=True):
            row.update(zip(last, items, strict=True))
    return rows


def _empty(size: int) -> list[dict[str, Any]]:
    return [{} for _ in range(size)]


def _fill(rows: Sequence[dict[str, Any]], column: Column, read: Callable[[str], Any] | None) -> None:
    *parents, last = column.path
    index = range(len(rows)) if column.rows is None else column.rows.tolist()
    for row, value in zip(index, column_values(column, len(rows), read), strict=True):
        target = rows[row]
        for name in parents:
            inner = target.get(name)
            if not isinstance(inner, dict):
                inner = target[name] = {}
            target = inner
        target[last] = value


def column_values(column: Column, count: int, read: Callable[[str], Any] | None = None) -> list[Any]:
    """Return the values of a column in a block of ``count`` rows, one per row that has one.

    ``read`` makes values of JSON texts, by default what was logged.
    """
    if column.values is not None:
        numbers: list[Any] = column.values.tolist()
        return numbers
    if column.type is ColumnType.JSON:
        return list(map(read or values.load, column.texts))
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
        columns=cut_columns(event.columns, start, stop),
    )


def rows_with_values(columns: Iterable[Column], count: int) -> NDArray[np.bool_]:
    """Return for each of ``count`` rows whether any of the columns has a value of it."""
    found = np.zeros(count, dtype=np.bool_)
    for column in columns:
        if column.type is ColumnType.UNKNOWN:
            continue
        if column.rows is None:
            return np.ones(count, dtype=np.bool_)
        found[column.rows] = True
    return found


def cut_columns(columns: Iterable[Column], start: int, stop: int) -> list[Column]:
    """Return the columns of the rows between two rows; those without a value are left out."""
    found = []
    for column in columns:
        if column.rows is None:
            found.append(_part(column, None, slice(start, stop)))
            continue
        first, last = np.searchsorted(column.rows, (start, stop))
        if first != last:
            rows = column.rows[first:last] - np.uint32(start)
            found.append(_part(column, None if last - first == stop - start else rows, slice(int(first), int(last))))
    return found


def take_columns(columns: Iterable[Column], chosen: NDArray[np.int64], count: int) -> list[Column]:
    """Return the columns of some of ``count`` rows, in any order; those without a value are left out."""
    place = np.full(count, -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    found = []
    for column in columns:
        if column.rows is None:
            found.append(_part(column, None, chosen))
            continue
        places = place[column.rows]
        values = np.flatnonzero(places >= 0)
        if not len(values):
            continue
        rows = places[values]
        if not bool((rows[1:] > rows[:-1]).all()):
            order = np.argsort(rows)
            rows, values = rows[order], values[order]
        found.append(_part(column, None if len(rows) == len(chosen) else rows.astype(np.uint32), values))
    return found


def join_columns(blocks: Sequence[tuple[Sequence[Column], int]]) -> list[Column]:
    """Return the columns of the rows of several blocks, given with the number of their rows, in order of appearance."""
    pieces: dict[tuple[str, ...], list[list[tuple[int, int, Column]]]] = {}
    begin = 0
    for columns, count in blocks:
        for column in columns:
            of_path = pieces.setdefault(column.path, [])
            of_type = next((one for one in of_path if one[0][2].type is column.type), None)
            if of_type is None:
                of_path.append(of_type := [])
            of_type.append((begin, count, column))
        begin += count
    return [_joined(of_type, begin) for of_path in pieces.values() for of_type in of_path]


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


def _part(column: Column, rows: NDArray[np.uint32] | None, values: slice | NDArray[np.int64]) -> Column:
    texts = column.texts
    if texts:
        texts = texts[values] if isinstance(values, slice) else [texts[index] for index in values.tolist()]
    return column._replace(rows=rows, values=None if column.values is None else column.values[values], texts=texts)


def _joined(pieces: Sequence[tuple[int, int, Column]], count: int) -> Column:
    """Return a column of its parts in several blocks, each given with the first row and the rows of its block."""
    columns = [column for _, _, column in pieces]
    rows: Any = None
    if sum(size for _, size, _ in pieces) != count or any(column.rows is not None for column in columns):
        rows = np.concatenate(
            [
                np.arange(begin, begin + size) if column.rows is None else column.rows.astype(np.int64) + begin
                for begin, size, column in pieces
            ]
        ).astype(np.uint32)
        rows = None if len(rows) == count else rows
    numbers = [column.values for column in columns if column.values is not None]
    return columns[0]._replace(
        rows=rows,
        values=np.concatenate(numbers) if numbers else None,
        texts=list(chain.from_iterable(column.texts for column in columns)),
    )
