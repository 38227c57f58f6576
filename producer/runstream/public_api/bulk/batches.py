"""Rows as columns, decoded from the Arrow IPC streams that the server sends. nanoarrow reads them: it is small."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType
from runstream_schemas.rows import take_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

_DTYPES = {"double": np.float64, "int64": np.int64}
_TEXTS = "string"


@dataclass(frozen=True, slots=True, eq=False)
class RowBatch:
    """Rows as columns."""

    count: int
    #: What every row has beside its values, such as ``_step``, by name; of ``_hidden``, which rows have it.
    fields: Mapping[str, NDArray[Any] | Sequence[str]]
    columns: Sequence[Column]

    def take(self, rows: NDArray[np.int64]) -> RowBatch:
        """Return some of the rows, in the order that is given."""
        fields = {
            name: field[rows] if isinstance(field, np.ndarray) else [field[row] for row in rows.tolist()]
            for name, field in self.fields.items()
        }
        return RowBatch(len(rows), fields, take_columns(self.columns, rows, self.count))


@dataclass(frozen=True, slots=True, eq=False)
class RowStream:
    """The rows of one answer, and what it has beside them."""

    batches: Sequence[RowBatch]
    metadata: Mapping[str, Any]


def decode(data: bytes) -> RowStream:
    """Return the rows of an Arrow IPC stream of the server."""
    import nanoarrow as na  # noqa: PLC0415 — of no use to a training process
    from nanoarrow import ipc  # noqa: PLC0415

    with ipc.InputStream.from_readable(data) as source, na.c_array_stream(source) as stream:
        schema = na.Schema(stream.get_schema())
        fields = [(field.name, _metadata(field)) for field in schema.fields]
        batches = [_batch(array, fields) for array in stream]
    return RowStream(batches, {name: values.load(text) for name, text in _metadata(schema).items()})


def _metadata(item: Any) -> dict[str, str]:
    pairs = item.metadata.items() if item.metadata is not None else ()
    return {key.decode(): text.decode() for key, text in pairs}


def _batch(rows: Any, fields: Sequence[tuple[str, Mapping[str, str]]]) -> RowBatch:
    of_rows: dict[str, Any] = {}
    columns = []
    for number, (name, metadata) in enumerate(fields):
        # The view of a child keeps the memory of all rows; one that is a child of a view does not.
        array = rows.child(number).view()
        if metadata:
            if (
                column := _column(array, tuple(values.load(metadata["path"])), ColumnType(metadata["type"]))
            ) is not None:
                columns.append(column)
        else:
            of_rows[name] = _texts(array) if array.storage_type == _TEXTS else _numbers(array)
    return RowBatch(rows.length, of_rows, columns)


def _column(array: Any, path: tuple[str, ...], kind: ColumnType) -> Column | None:
    valid = _valid(array)
    rows = None if valid is None else np.flatnonzero(valid)
    if rows is not None and not len(rows):
        return None
    index = None if rows is None else rows.astype(np.uint32)
    if kind is ColumnType.JSON:
        texts = _texts(array)
        return Column(
            path=path, type=kind, rows=index, texts=texts if rows is None else [texts[row] for row in rows.tolist()]
        )
    if kind is ColumnType.NULL:
        return Column(path=path, type=kind, rows=index)
    numbers = _numbers(array)
    return Column(path=path, type=kind, rows=index, values=numbers if rows is None else numbers[rows])


def _valid(array: Any) -> NDArray[np.bool_] | None:
    """Return for each item whether it is not null; None if all are."""
    return None if not array.null_count else _bits(array.buffer(0), array.length)


def _numbers(array: Any) -> NDArray[Any]:
    if (dtype := _DTYPES.get(array.storage_type)) is None:
        return _bits(array.buffer(1), array.length)
    return np.frombuffer(array.buffer(1), dtype=dtype, count=array.length)


def _bits(buffer: Any, count: int) -> NDArray[np.bool_]:
    packed = np.frombuffer(buffer, dtype=np.uint8)
    return np.unpackbits(packed, count=count, bitorder="little").view(np.bool_)


def _texts(array: Any) -> list[str]:
    if not array.length:
        return []
    ends = np.frombuffer(array.buffer(1), dtype=np.int32, count=array.length + 1).tolist()
    data = bytes(array.buffer(2))
    return list(_slices(data.decode() if data.isascii() else data, ends))


def _slices(data: str | bytes, ends: Sequence[int]) -> Iterator[str]:
    for start, stop in pairwise(ends):
        part = data[start:stop]
        yield part if isinstance(part, str) else part.decode()
