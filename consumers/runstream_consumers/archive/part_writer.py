"""The objects of a part, from its rows, and the rows of a part that is to be joined with others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import (
    APPEND_TIME,
    LATE,
    OFFSET,
    ORDER,
    ROW_COLUMNS,
    SEQ,
    STEP,
    TIME,
    Directory,
)
from runstream_consumers.archive.layout import file_key, index_key
from runstream_consumers.archive.parquet.writer import encode_files
from runstream_consumers.archive.part import OpenPart
from runstream_consumers.archive.part_index import FileSize, IndexWriter
from runstream_consumers.archive.rows import ColumnValues, PartRows
from runstream_schemas.events import ColumnType

_OF_EVERY_ROW = tuple(ROW_COLUMNS.index(name) for name in (STEP, TIME, ORDER, OFFSET, SEQ, LATE, APPEND_TIME))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedObject:
    """An object of a part: a Parquet file, or the index."""

    key: str
    data: bytes | memoryview
    #: How many bytes at its end are the metadata of the file, or the index.
    footer: int

    @property
    def size(self) -> FileSize:
        """Its size, and that of its end."""
        return FileSize(size=len(self.data), footer=self.footer)


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """The sizes of the objects of a part; that of the index comes last."""

    sizes: Sequence[FileSize]

    @property
    def files(self) -> int:
        """The number of Parquet files."""
        return len(self.sizes) - 1

    @property
    def index(self) -> FileSize:
        """The size of the object with the index, and of the index at its end."""
        return self.sizes[-1]

    @property
    def size(self) -> int:
        """The bytes of all objects."""
        return sum(one.size for one in self.sizes)


def encode_part(rows: PartRows, directory: Directory, base: str) -> Iterator[EncodedObject]:
    """Yield the objects of a part, whose keys begin with ``base``; the index comes last.

    Each is made when it is needed: a run with many keys has hundreds.
    """
    sizes = []
    for number, file in enumerate(encode_files(rows, directory)):
        encoded = EncodedObject(key=file_key(base, number), data=file.data, footer=file.footer)
        sizes.append(encoded.size)
        yield encoded
    index, size = IndexWriter(rows, directory).object(sizes)
    yield EncodedObject(key=index_key(base), data=index, footer=size)


def read_part(part: OpenPart) -> PartRows:
    """Return all rows of a part."""
    size, blocks, columns = part.index.rows, part.index.blocks, part.index.directory.columns
    steps, times, orders, offsets, seqs, late, append_times = part.row_columns(0, size, _OF_EVERY_ROW, 0)
    logged = sorted(range(len(columns)), key=part.index.directory.ranks.__getitem__)
    values = {
        columns[number]: _column_values(columns[number][1], *found)
        for number, found in zip(logged, part.values(logged, 0, size), strict=True)
    }
    return PartRows(
        writers=part.index.writers,
        writer=np.repeat(blocks.writer, blocks.rows),
        steps=steps,
        times=times,
        orders=orders,
        offsets=offsets,
        seqs=seqs,
        append_times=append_times,
        late=late.astype(np.bool_),
        blocks=blocks,
        columns=values,
    )


def _column_values(kind: ColumnType, rows: NDArray[np.int64] | None, values: Any) -> ColumnValues:
    if kind is ColumnType.JSON:
        return ColumnValues(rows, None, [text if isinstance(text, str) else text.as_py() for text in values])
    return ColumnValues(rows, None if kind is ColumnType.NULL else values)
