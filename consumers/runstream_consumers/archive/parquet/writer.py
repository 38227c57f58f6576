"""Write the rows of a part as Parquet files (docs/archive.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from runstream_consumers.archive.columns import (
    APPEND_TIME,
    GROUP_ROWS,
    LATE,
    OFFSET,
    ORDER,
    ROW_COLUMNS,
    SEQ,
    STEP,
    TIME,
    WRITER,
    ColumnId,
    Directory,
    column_names,
    sorting_key,
)
from runstream_consumers.archive.rows import ColumnValues, PartRows
from runstream_schemas.events import ColumnType

_COMPRESSION = 3
#: Values of a column that are examined: with a dictionary, it is smaller if at most half of them are distinct.
_EXAMINED = 8192

_TYPES = {
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.INT64: pa.int64(),
    ColumnType.BOOL: pa.bool_(),
    #: Of a null, only that it was logged: True.
    ColumnType.NULL: pa.bool_(),
    ColumnType.JSON: pa.string(),
}
_ROW_TYPES = {
    STEP: pa.int64(),
    TIME: pa.timestamp("us", "UTC"),
    ORDER: pa.int64(),
    OFFSET: pa.int64(),
    SEQ: pa.int64(),
    WRITER: pa.string(),
    LATE: pa.bool_(),
    APPEND_TIME: pa.timestamp("us", "UTC"),
}
_INTEGERS = "DELTA_BINARY_PACKED"


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """The bytes of a Parquet file; the last ``footer`` of them are its metadata."""

    data: memoryview
    footer: int


def directory_of(rows: PartRows) -> Directory:
    """Return the columns of the files of a part."""
    columns = sorted(rows.columns, key=sorting_key)
    ranks = {column: rank for rank, column in enumerate(rows.columns)}
    return Directory(
        columns,
        column_names(columns),
        [ranks[column] for column in columns],
        [rows.columns[column].count(len(rows)) for column in columns],
    )


def encode_files(rows: PartRows, directory: Directory) -> Iterator[EncodedFile]:
    """Yield the files of a part, each with all rows and up to 1 000 columns of keys."""
    for file in range(directory.files):
        numbers = directory.of_file(file)
        yield _encode(rows, [directory.columns[one] for one in numbers], [directory.names[one] for one in numbers])


def _encode(rows: PartRows, columns: Sequence[ColumnId], names: Sequence[str]) -> EncodedFile:
    types = [*_ROW_TYPES.values(), *(_TYPES[kind] for _, kind in columns)]
    schema = pa.schema(list(zip([*ROW_COLUMNS, *names], types, strict=True)))
    encodings: dict[str, str] = dict.fromkeys((STEP, TIME, ORDER, OFFSET, SEQ, APPEND_TIME), _INTEGERS)
    dictionary = [WRITER]
    for (path, kind), name in zip(columns, names, strict=True):
        encoding = _encoding(kind, rows.columns[path, kind])
        if encoding == "DICTIONARY":
            dictionary.append(name)
        elif encoding:
            encodings[name] = encoding
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=_COMPRESSION,
        use_dictionary=dictionary,
        column_encoding=encodings,
        store_schema=False,
        write_page_checksum=True,
    ) as writer:
        for start in range(0, len(rows), GROUP_ROWS):
            writer.write_table(_group(rows, columns, schema, start, min(start + GROUP_ROWS, len(rows))))
    data = memoryview(sink.getvalue())
    return EncodedFile(data, int.from_bytes(data[-8:-4], "little") + 8)


def _encoding(kind: ColumnType, values: ColumnValues) -> str:
    if kind is ColumnType.JSON:
        return "DICTIONARY"
    if kind is ColumnType.INT64:
        return _INTEGERS
    if kind is ColumnType.FLOAT64 and values.values is not None:
        examined = values.values[:: max(1, len(values.values) // _EXAMINED)]
        few = 2 * len(np.unique(examined)) <= len(examined)
        return "DICTIONARY" if few else "BYTE_STREAM_SPLIT"
    return ""


def _group(rows: PartRows, columns: Sequence[ColumnId], schema: pa.Schema, start: int, stop: int) -> pa.Table:
    names = pa.array([writer.id.hex() for writer in rows.writers])
    numbers = pa.array(rows.writer[start:stop].astype(np.int32))
    arrays = {
        STEP: rows.steps[start:stop],
        TIME: rows.times[start:stop],
        ORDER: rows.orders[start:stop],
        OFFSET: rows.offsets[start:stop],
        SEQ: rows.seqs[start:stop],
        WRITER: pa.DictionaryArray.from_arrays(numbers, names).cast(pa.string()),
        LATE: rows.late[start:stop],
        APPEND_TIME: rows.append_times[start:stop],
    }
    system = [_array(arrays[name], _ROW_TYPES[name]) for name in ROW_COLUMNS]
    values = [_part(rows.columns[column], _TYPES[column[1]], start, stop) for column in columns]
    return pa.table([*system, *values], schema=schema)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, type=kind)


def _part(column: ColumnValues, kind: pa.DataType, start: int, stop: int) -> pa.Array:
    """Return the values of a column in a range of rows, with nulls where it has none."""
    if column.rows is None:
        return _values(column, kind, start, stop)
    first, last = (int(edge) for edge in np.searchsorted(column.rows, (start, stop)))
    if first == last:
        return pa.nulls(stop - start, kind)
    index = np.full(stop - start, -1, dtype=np.int64)
    index[column.rows[first:last] - start] = np.arange(last - first)
    return _values(column, kind, first, last).take(pa.array(index, mask=index < 0))


def _values(column: ColumnValues, kind: pa.DataType, first: int, last: int) -> pa.Array:
    if column.values is not None:
        found: NDArray[Any] = column.values[first:last]
        return pa.array(found, type=kind)
    if column.texts:
        return pa.array(column.texts[first:last], type=kind)
    return pa.array(np.ones(last - first, dtype=np.bool_))
