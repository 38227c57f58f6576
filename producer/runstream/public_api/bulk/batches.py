"""Rows as columns, decoded from the Arrow IPC streams that the server sends. nanoarrow reads them: it is small."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType
from runstream_schemas.rows import cut_columns, take_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

_DTYPES = {"double": np.float64, "int64": np.int64}
_TEXTS = "string"
#: Bytes of the id of a writer, hexadecimal.
_LABEL = 32


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A text of every row, of which there are few."""

    names: Sequence[str]
    #: The number of the text of each row.
    numbers: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> Labels:
        """Return those of some rows."""
        return Labels(self.names, self.numbers[rows])

    def objects(self) -> NDArray[Any]:
        """Return the texts."""
        found: NDArray[Any] = np.array(self.names, dtype=object)[self.numbers]
        return found

    def tolist(self) -> list[str]:
        """Return the texts as a list."""
        return list(self.objects().tolist())


@dataclass(frozen=True, slots=True, eq=False)
class RowBatch:
    """Rows as columns."""

    count: int
    #: What every row has beside its values, such as ``_step``, by name; of ``_hidden``, which rows have it.
    fields: Mapping[str, NDArray[Any] | Labels]
    columns: Sequence[Column]

    def pieces(self, size: int) -> Iterator[RowBatch]:
        """Yield the rows in batches of at most so many."""
        if self.count <= size:
            yield self
            return
        for start in range(0, self.count, size):
            stop = min(start + size, self.count)
            fields = {name: field[start:stop] for name, field in self.fields.items()}
            yield RowBatch(stop - start, fields, cut_columns(self.columns, start, stop))

    def take(self, rows: NDArray[np.int64]) -> RowBatch:
        """Return some of the rows, in the order that is given."""
        fields = {name: field[rows] for name, field in self.fields.items()}
        return RowBatch(len(rows), fields, take_columns(self.columns, rows, self.count))


@dataclass(frozen=True, slots=True, eq=False)
class RowStream:
    """The rows of one answer, and what it has beside them."""

    batches: Sequence[RowBatch]
    metadata: Mapping[str, Any]


def decode(data: bytes, *, by_pyarrow: bool = False) -> RowStream:
    """Return the rows of an Arrow IPC stream of the server.

    pyarrow, which need not be installed, does not copy the values; nanoarrow does.
    """
    schema, batches = (_read_by_pyarrow if by_pyarrow else _read)(data)
    fields = [(name, _texts_of(metadata)) for name, metadata in schema.fields]
    found = [_batch(count, columns, fields) for count, columns in batches]
    return RowStream(found, {name: values.load(text) for name, text in _texts_of(schema.metadata).items()})


class _Schema(NamedTuple):
    """What a stream has beside the rows."""

    fields: Sequence[tuple[str, Any]]
    metadata: Any


#: The number of rows of each batch, and its columns as :class:`_PyarrowView` has them.
_Batches = list[tuple[int, list[Any]]]


def _read(data: bytes) -> tuple[_Schema, _Batches]:
    import nanoarrow as na  # noqa: PLC0415 — of no use to a training process
    from nanoarrow import ipc  # noqa: PLC0415

    with ipc.InputStream.from_readable(data) as source, na.c_array_stream(source) as stream:
        schema = na.Schema(stream.get_schema())
        # The view of a child keeps the memory of all rows; one that is a child of a view does not.
        batches = [(rows.length, [rows.child(number).view() for number in range(rows.n_children)]) for rows in stream]
    return _Schema([(field.name, field.metadata) for field in schema.fields], schema.metadata), batches


def _read_by_pyarrow(data: bytes) -> tuple[_Schema, _Batches]:
    import pyarrow as pa  # noqa: PLC0415 — optional

    with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
        schema = stream.schema
        batches = [(rows.num_rows, [_PyarrowView(column) for column in rows.columns]) for rows in stream]
    return _Schema([(field.name, field.metadata) for field in schema], schema.metadata), batches


class _PyarrowView:
    """An array of pyarrow with the names of nanoarrow's views."""

    def __init__(self, array: Any) -> None:
        self.length = len(array)
        self.null_count = array.null_count
        self.storage_type = str(array.type)
        self.buffer = array.buffers().__getitem__


def _texts_of(metadata: Any) -> dict[str, str]:
    pairs = metadata.items() if metadata is not None else ()
    return {key.decode(): text.decode() for key, text in pairs}


def _batch(count: int, arrays: Sequence[Any], fields: Sequence[tuple[str, Mapping[str, str]]]) -> RowBatch:
    of_rows: dict[str, Any] = {}
    columns = []
    for array, (name, metadata) in zip(arrays, fields, strict=True):
        if metadata:
            path = tuple(values.load(metadata["path"]))
            if (column := _column(array, path, ColumnType(metadata["type"]))) is not None:
                columns.append(column)
        else:
            of_rows[name] = _labels(array) if array.storage_type == _TEXTS else _numbers(array)
    return RowBatch(count, of_rows, columns)


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


def _labels(array: Any) -> Labels:
    """Return texts of which there are few; those of one length are compared at once."""
    count = array.length
    ends = np.frombuffer(array.buffer(1), dtype=np.int32, count=count + 1) if count else np.zeros(1, dtype=np.int32)
    if not count or not bool((np.diff(ends) == _LABEL).all()):
        texts = _texts(array)
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        return Labels(list(numbers), np.array([numbers[text] for text in texts], dtype=np.int64))
    words = np.frombuffer(array.buffer(2), dtype=np.uint64, count=count * _LABEL // 8).reshape(count, -1)
    begins = np.concatenate(([0], np.flatnonzero((words[1:] != words[:-1]).any(axis=1)) + 1))
    lengths = np.diff(np.append(begins, count))
    return Labels([words[row].tobytes().decode() for row in begins], np.repeat(np.arange(len(begins)), lengths))


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
