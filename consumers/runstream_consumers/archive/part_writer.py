"""The objects of a part, from its rows, and the rows of a part that is to be joined with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import APPEND_TIME, LATE, OFFSET, ORDER, ROW_COLUMNS, SEQ, STEP, TIME
from runstream_consumers.archive.layout import file_key, index_key
from runstream_consumers.archive.parquet.writer import directory_of, encode_files
from runstream_consumers.archive.part import OpenPart
from runstream_consumers.archive.part_index import FileSize, IndexWriter
from runstream_consumers.archive.rows import ColumnValues, PartRows
from runstream_schemas.events import ColumnType

_OF_EVERY_ROW = tuple(ROW_COLUMNS.index(name) for name in (STEP, TIME, ORDER, OFFSET, SEQ, LATE, APPEND_TIME))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPart:
    """The objects of a part."""

    #: Bytes by key; the index comes last.
    objects: Mapping[str, bytes | memoryview]
    files: int
    #: Size of the object with the index, and of the index at its end.
    index_object_size: int
    index_size: int

    @property
    def size(self) -> int:
        """The bytes of all objects."""
        return sum(map(len, self.objects.values()))


def encode_part(rows: PartRows, base: str) -> EncodedPart:
    """Return the objects of a part, whose keys begin with ``base``."""
    directory = directory_of(rows)
    objects: dict[str, bytes | memoryview] = {}
    sizes = []
    for number, file in enumerate(encode_files(rows, directory)):
        objects[file_key(base, number)] = file.data
        sizes.append(FileSize(size=len(file.data), footer=file.footer))
    index, size = IndexWriter(rows, directory).object(sizes)
    objects[index_key(base)] = index
    return EncodedPart(objects=objects, files=len(sizes), index_object_size=len(index), index_size=size)


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
