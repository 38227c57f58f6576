"""Pages of rows as an Arrow IPC stream, for bulk reads.

Imported when the first one is requested, since pyarrow takes longer to import than the process to start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runstream_consumers.api.documents import row_positions as positions
from runstream_consumers.archive.bulk.chunks import Chunk
from runstream_consumers.archive.columns import ColumnId, column_names
from runstream_consumers.history.tables.row_table import RowTable
from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType

_TYPES = {
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.INT64: pa.int64(),
    ColumnType.BOOL: pa.bool_(),
    # True where None was logged.
    ColumnType.NULL: pa.bool_(),
    ColumnType.JSON: pa.utf8(),
}


def render_rows(
    table: RowTable | None,
    started: float | None,
    wanted: Collection[str] = positions.FIELDS,
    **metadata: Any,
) -> list[memoryview]:
    """Return rows as an Arrow IPC stream: the wanted fields of every row, and a column for each key path and type.

    ``metadata`` is that of the schema, as JSON texts. A column of values has its ``path`` and ``type`` as metadata.
    The pieces of the stream share the memory of the values.
    """
    if table is None:
        return _stream([], [], metadata)
    columns = positions.value_columns(table.columns, started)
    arrays = {(one.path, one.type): _array(one, len(table)) for one in columns if one.type in _TYPES}
    fields = _fields(table, started, wanted)
    schema = [*_schema_of(fields), *_value_fields(arrays)]
    return _stream(schema, [(len(table), [*fields.values(), *arrays.values()])], metadata)


def render_chunks(
    chunks: Sequence[Chunk], started: float | None, wanted: Collection[str] = positions.FIELDS, **metadata: Any
) -> list[memoryview]:
    """Return rows as :func:`render_rows` does, each chunk as a batch."""
    columns = [one for one in _united(chunks) if one[1] in _TYPES and not positions.is_replaced(one[0], started)]
    batches, schema = [], []
    for chunk in chunks:
        fields = _fields(chunk, started, wanted)
        schema = [*_schema_of(fields), *_value_fields(columns)]
        nulls = {column: pa.nulls(len(chunk), _TYPES[column[1]]) for column in columns if column not in chunk.columns}
        arrays = [*fields.values(), *(chunk.columns[one] if one in chunk.columns else nulls[one] for one in columns)]
        batches.append((len(chunk), arrays))
    return _stream(schema, batches, metadata)


class _Pieces:
    """A file that keeps what is written to it, without copying it."""

    closed = False

    def __init__(self) -> None:
        self.written: list[memoryview] = []

    def write(self, data: Any) -> int:
        self.written.append(memoryview(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _stream(
    fields: Sequence[Any], batches: Sequence[tuple[int, Sequence[Any]]], metadata: Mapping[str, Any]
) -> list[memoryview]:
    schema = pa.schema(fields, {name: values.dump(value) for name, value in metadata.items()})
    sink = _Pieces()
    with pa.ipc.new_stream(sink, schema) as stream:
        for count, arrays in batches:
            # A batch without columns has as many rows as it is created with.
            rows = (
                pa.StructArray.from_arrays(arrays, fields=list(schema))
                if arrays
                else pa.array([{}] * count, pa.struct([]))
            )
            stream.write_batch(pa.RecordBatch.from_struct_array(rows).replace_schema_metadata(schema.metadata))
    return sink.written


def _fields(rows: positions.Rows, started: float | None, wanted: Collection[str]) -> dict[str, Any]:
    return {name: _position(rows, name, array) for name, array in positions.positions(rows, started, wanted).items()}


def _schema_of(fields: Mapping[str, Any]) -> list[Any]:
    return [pa.field(name, array.type) for name, array in fields.items()]


def _value_fields(columns: Iterable[ColumnId]) -> list[Any]:
    known = list(columns)
    names = column_names(known, {*positions.FIELDS, ""})
    return [
        pa.field(name, _TYPES[kind], metadata={"path": values.dump(list(path)), "type": kind.value})
        for name, (path, kind) in zip(names, known, strict=True)
    ]


def _united(chunks: Sequence[Chunk]) -> list[ColumnId]:
    """Return the columns of all chunks in order of appearance, those of one key together."""
    by_path: dict[tuple[str, ...], dict[ColumnId, None]] = {}
    for column in (column for chunk in chunks for column in chunk.columns):
        by_path.setdefault(column[0], {})[column] = None
    return [column for of_path in by_path.values() for column in of_path]


def _position(rows: positions.Rows, name: str, array: NDArray[Any]) -> Any:
    if name != positions.WRITER:
        return pa.array(array)
    texts = "".join(positions.writer_names(rows)).encode()
    if len(rows.sources) == 1:
        letters: Any = texts * len(rows)
    else:
        letters = np.frombuffer(texts, dtype=np.uint8).reshape(len(rows.sources), -1)[array]
    ends = np.arange(len(rows) + 1, dtype=np.int32) * np.int32(len(texts) // len(rows.sources))
    return pa.Array.from_buffers(pa.utf8(), len(rows), [None, pa.py_buffer(ends), pa.py_buffer(letters)])


def _array(column: Column, count: int) -> Any:
    if column.type is ColumnType.JSON:
        return _texts(column.texts, column.rows, count)
    numbers = np.ones(count, dtype=np.bool_) if column.values is None else column.values
    if column.rows is None:
        return pa.array(numbers)
    spread = np.zeros(count, dtype=numbers.dtype)
    spread[column.rows] = numbers if column.values is not None else True
    valid = np.zeros(count, dtype=np.bool_)
    valid[column.rows] = True
    return pa.array(spread, mask=~valid)


def _texts(texts: Sequence[str], rows: NDArray[np.uint32] | None, count: int) -> Any:
    if rows is None:
        return pa.array(texts, pa.utf8())
    spread: list[str | None] = [None] * count
    for row, text in zip(rows.tolist(), texts, strict=True):
        spread[row] = text
    return pa.array(spread, pa.utf8())
