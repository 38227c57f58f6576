"""Pages of rows as JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from runstream_consumers.api.documents import row_positions as positions
from runstream_consumers.history.tables.row_table import RowTable
from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType
from runstream_schemas.rows import unpack_columns

#: Number of values and of rows that are rendered in one call, so that the interpreter's lock is released in between.
_CHUNK_VALUES, _CHUNK_ROWS = 20_000, 1000
_ENCODE = msgspec.json.Encoder().encode
#: A text that makes a dict look like a float that JSON does not have.
_AMBIGUOUS = re.compile('"~*float"')


def render_rows(
    table: RowTable | None, started: float | None, wanted: Collection[str] = positions.FIELDS, **fields: Any
) -> bytes:
    """Return the JSON text of a response with rows: their values, nested, and the wanted fields of every row."""
    parts = [] if table is None else [_rendered(part, started, wanted) for part in _chunks(table)]
    others = "".join(f', "{name}": {values.dump(value)}' for name, value in fields.items())
    return b'{"rows": [%b]%b}' % (b",".join(part[1:-1] for part in parts), others.encode("ascii"))


def _chunks(table: RowTable) -> Iterator[RowTable]:
    size = min(_CHUNK_ROWS, max(1, _CHUNK_VALUES // (len(table.columns) + 1)))
    for start in range(0, len(table), size):
        yield table.cut(start, min(start + size, len(table)))


def _rendered(table: RowTable, started: float | None, wanted: Collection[str]) -> bytes:
    columns = positions.value_columns(table.columns, started)
    if _is_plain(columns):
        return _ENCODE(_rows(table, columns, started, wanted, _raw))
    return values.dump(_rows(table, columns, started, wanted, values.load)).encode("ascii")


def _rows(
    table: RowTable, columns: Sequence[Column], started: float | None, wanted: Collection[str], read: Any
) -> list[dict[str, Any]]:
    found = {name: array.tolist() for name, array in positions.positions(table, started, wanted).items()}
    hidden = found.pop(positions.HIDDEN, None)
    if positions.WRITER in found:
        names = positions.writer_names(table)
        found[positions.WRITER] = [names[source] for source in found[positions.WRITER]]
    rows = unpack_columns(columns, len(table), read, found)
    for row in [] if hidden is None else [row for row, is_hidden in zip(rows, hidden, strict=True) if is_hidden]:
        row[positions.HIDDEN] = True
    return rows


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _is_plain(columns: Sequence[Column]) -> bool:
    """Return whether all values are JSON as they are: ASCII, without NaN, and without dicts that look like it."""
    return (
        all(name.isascii() for column in columns for name in column.path)
        and all(_is_finite(column) for column in columns)
        and all(map(str.isascii, chain.from_iterable(column.texts for column in columns)))
        and not any(column.path[-1] == "_type" and any(map(_AMBIGUOUS.fullmatch, column.texts)) for column in columns)
    )


def _is_finite(column: Column) -> bool:
    return column.type is not ColumnType.FLOAT64 or column.values is None or bool(np.isfinite(column.values).all())
