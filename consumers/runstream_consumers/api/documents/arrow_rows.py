"""Pages of rows as an Arrow IPC stream, for bulk reads.

Imported when the first one is requested, since pyarrow takes longer to import than the process to start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runstream_consumers.api.documents import row_positions as positions
from runstream_consumers.archive.columns import column_names
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
) -> memoryview:
    """Return rows as an Arrow IPC stream: the wanted fields of every row, and a column for each key path and type.

    ``metadata`` is that of the schema, as JSON texts. A column of values has its ``path`` and ``type`` as metadata.
    """
    fields, arrays = ([], []) if table is None else _columns(table, started, wanted)
    schema = pa.schema(fields, {name: values.dump(value) for name, value in metadata.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        if table is not None:
            stream.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return memoryview(sink.getvalue())


def _columns(table: RowTable, started: float | None, wanted: Collection[str]) -> tuple[list[Any], list[Any]]:
    found = positions.positions(table, started, wanted)
    arrays = [_position(table, name, array) for name, array in found.items()]
    fields = [pa.field(name, array.type) for name, array in zip(found, arrays, strict=True)]
    columns = [one for one in positions.value_columns(table, started) if one.type in _TYPES]
    names = column_names([(column.path, column.type) for column in columns], {*positions.FIELDS, ""})
    for name, column in zip(names, columns, strict=True):
        metadata = {"path": values.dump(list(column.path)), "type": column.type.value}
        fields.append(pa.field(name, _TYPES[column.type], metadata=metadata))
        arrays.append(_array(column, len(table)))
    return fields, arrays


def _position(table: RowTable, name: str, array: NDArray[Any]) -> Any:
    if name != positions.WRITER:
        return pa.array(array)
    texts = np.frombuffer("".join(positions.writer_names(table)).encode(), dtype=np.uint8)
    letters = np.ascontiguousarray(texts.reshape(len(table.sources), -1)[array])
    ends = np.arange(len(table) + 1, dtype=np.int32) * np.int32(letters.shape[1])
    return pa.Array.from_buffers(pa.utf8(), len(table), [None, pa.py_buffer(ends), pa.py_buffer(letters)])


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
