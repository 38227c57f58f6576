"""Rows as one table of pandas, polars or Arrow, made of columns without touching values one by one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream.exceptions import UsageError
from runstream.public_api.bulk.batches import Labels, RowBatch
from runstream.public_api.frames import FIELDS, META
from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType
from runstream_schemas.rows import column_values, rows_with_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Pieces = list["Piece"]

_LIBRARIES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}
_DTYPES: dict[frozenset[ColumnType], Any] = {
    frozenset({ColumnType.FLOAT64}): np.float64,
    frozenset({ColumnType.FLOAT64, ColumnType.INT64}): np.float64,
    frozenset({ColumnType.INT64}): np.int64,
    frozenset({ColumnType.BOOL}): np.bool_,
}


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Items of a column: numbers, booleans, or objects."""

    items: NDArray[Any]
    #: Which rows have a value; None if all do.
    valid: NDArray[np.bool_] | None = None
    #: The same as the items, if they are few texts.
    labels: Labels | None = None


def library_of(name: str) -> Any:
    """Return the library of a format; raises UsageError for another format, and ImportError without the library."""
    if name not in _LIBRARIES:
        raise UsageError(f"Invalid format={name!r}: expected one of {', '.join(map(repr, _LIBRARIES))}")
    try:
        return import_module(_LIBRARIES[name])
    except ImportError as error:
        missing = _LIBRARIES[name]
        raise ImportError(f"format={name!r} needs {missing}, which is not installed: pip install {missing}") from error


def table_of(batches: Iterable[RowBatch], keys: Sequence[str] | None, into: str) -> Any:
    """Return rows as one table: what every row has, then a column for each key, which nested names make with dots.

    With ``keys``, only rows that have all of them. Integers and floats of one key are floats; other values of several
    types, and lists, are objects, of which Arrow and polars have JSON texts.
    """
    library = library_of(into)
    held = [batch if keys is None else _with_all(batch, keys) for batch in batches] or [RowBatch(0, {}, [])]
    columns = {**_fields(held), **_values(held)}
    return _TABLES[into](library, columns)


def _with_all(batch: RowBatch, keys: Sequence[str]) -> RowBatch:
    complete: Any = np.ones(batch.count, dtype=np.bool_)
    for key in keys:
        if key not in batch.fields:
            complete &= rows_with_values(_at_or_below(batch.columns, key), batch.count)
    return batch if complete.all() else batch.take(np.flatnonzero(complete))


def _at_or_below(columns: Iterable[Column], key: str) -> list[Column]:
    return [one for one in columns if f"{'.'.join(one.path)}.".startswith(f"{key}.")]


def _fields(batches: Sequence[RowBatch]) -> dict[str, Pieces]:
    names = [name for name in FIELDS if any(name in batch.fields for batch in batches)]
    return {name: [_field(batch, name) for batch in batches] for name in names}


def _field(batch: RowBatch, name: str) -> Piece:
    if name not in batch.fields:
        missing = name in META
        return Piece(np.zeros(batch.count, dtype=np.bool_), np.zeros(batch.count, dtype=np.bool_) if missing else None)
    field = batch.fields[name]
    return Piece(field) if isinstance(field, np.ndarray) else Piece(field.objects(), labels=field)


def _values(batches: Sequence[RowBatch]) -> dict[str, Pieces]:
    of_batches: list[dict[str, list[Column]]] = []
    kinds: dict[str, set[ColumnType]] = {}
    for batch in batches:
        of_batches.append({})
        for column in batch.columns:
            key = ".".join(column.path)
            of_batches[-1].setdefault(key, []).append(column)
            kinds.setdefault(key, set()).add(column.type)
    dtypes = {key: _DTYPES.get(frozenset(found - {ColumnType.NULL}), object) for key, found in kinds.items()}
    return {
        key: [
            _piece(of_batch.get(key, ()), batch.count, dtype)
            for batch, of_batch in zip(batches, of_batches, strict=True)
        ]
        for key, dtype in dtypes.items()
    }


def _piece(columns: Sequence[Column], count: int, dtype: Any) -> Piece:
    present = [column for column in columns if column.type is not ColumnType.NULL]
    if len(present) == 1 and present[0].rows is None and present[0].values is not None:
        return Piece(present[0].values.astype(dtype, copy=False))
    items = np.zeros(count, dtype=dtype) if dtype is not object else np.full(count, None, dtype=object)
    for column in present:
        found = column.values if column.values is not None and dtype is not object else _objects(column, count)
        items[slice(None) if column.rows is None else column.rows] = found
    valid = rows_with_values(present, count)
    return Piece(items, None if valid.all() else valid)


def _objects(column: Column, count: int) -> NDArray[Any]:
    """Return values as an array of objects; NumPy would make arrays of lists."""
    found = column_values(column, count)
    items = np.empty(len(found), dtype=object)
    items[:] = found
    return items


def _pandas(pandas: Any, columns: Mapping[str, Pieces]) -> Any:
    return pandas.DataFrame({name: _joined(pandas, pieces) for name, pieces in columns.items()}, copy=False)


def _joined(pandas: Any, pieces: Pieces) -> Any:
    if labels := [piece.labels for piece in pieces if piece.labels is not None and piece.labels.names]:
        # Each text is converted to a text of pandas once, instead of once for each row.
        offsets = np.cumsum([0, *(len(one.names) for one in labels)])
        numbers = [one.numbers + offset for one, offset in zip(labels, offsets, strict=False)]
        return pandas.Series([name for one in labels for name in one.names]).take(np.concatenate(numbers)).array
    items = np.concatenate([piece.items for piece in pieces])
    if all(piece.valid is None for piece in pieces):
        return items if items.dtype != object else items.tolist()
    valid = np.concatenate(
        [np.ones(len(piece.items), dtype=np.bool_) if piece.valid is None else piece.valid for piece in pieces]
    )
    items = items.astype(object if items.dtype.kind in "bO" else np.float64)
    items[~valid] = None if items.dtype == object else np.nan
    return items if items.dtype != object else items.tolist()


def _arrow(arrow: Any, columns: Mapping[str, Pieces]) -> Any:
    return arrow.table(
        {name: arrow.chunked_array([_array(arrow, piece) for piece in pieces]) for name, pieces in columns.items()}
    )


def _array(arrow: Any, piece: Piece) -> Any:
    if piece.labels is not None:
        return arrow.array(piece.labels.names, arrow.string()).take(arrow.array(piece.labels.numbers))
    if piece.items.dtype == object:
        return arrow.array(_texts(piece), arrow.string())
    return arrow.array(piece.items, mask=None if piece.valid is None else ~piece.valid)


def _polars(polars: Any, columns: Mapping[str, Pieces]) -> Any:
    batches = max(map(len, columns.values()), default=0)
    parts = [polars.DataFrame(_series(polars, columns, number)) for number in range(batches)]
    return polars.concat(parts) if parts else polars.DataFrame()


def _series(polars: Any, columns: Mapping[str, Pieces], number: int) -> dict[str, Any]:
    found = {}
    for name, pieces in columns.items():
        piece = pieces[number]
        if piece.items.dtype == object:
            found[name] = polars.Series(name, _texts(piece), dtype=polars.String)
            continue
        series = polars.Series(name, piece.items)
        if piece.valid is not None:
            series = polars.select(polars.when(polars.Series(piece.valid)).then(series).alias(name)).to_series()
        found[name] = series
    return found


def _texts(piece: Piece) -> list[str | None]:
    return [None if item is None else item if isinstance(item, str) else values.dump(item) for item in piece.items]


_TABLES: Mapping[str, Callable[[Any, Mapping[str, Pieces]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "arrow": _arrow,
}
