"""Read single columns of a Parquet file in the object store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from runstream_consumers.archive.storage.object_file import ObjectFile, Range
from runstream_consumers.object_store.store import ObjectDamaged

#: Columns that are decoded in one thread: a few take less time than threads need to begin.
_FEW = 8

#: Columns from which on several threads decode them, when many row groups are read at once.
_SEVERAL = 4


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """The values of a column in a row group."""

    #: The rows that have a value, ascending, relative to the group; None if every row has one.
    rows: NDArray[np.int64] | None
    #: One item per value: numbers, booleans, or texts. Times are microseconds since 1970.
    values: NDArray[Any] | pa.Array

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.values.nbytes + (0 if self.rows is None else self.rows.nbytes)

    def part(self, start: int, stop: int) -> tuple[NDArray[np.int64] | None, Any]:
        """Return the rows, relative to ``start``, and the values between two rows of the group."""
        if self.rows is None:
            return None, self.values[start:stop]
        first, last = np.searchsorted(self.rows, (start, stop))
        return self.rows[first:last] - start, self.values[int(first) : int(last)]


class ParquetReader:
    """Reads row groups of one file; may be used by several threads."""

    def __init__(self, file: ObjectFile, footer: int) -> None:
        self.file = file
        file.load([(file.size - footer, footer)])
        try:
            source = pa.BufferReader(pa.py_buffer(file.memory))
            self._parquet = pq.ParquetFile(source, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise ObjectDamaged(file.key) from error
        self._metadata = self._parquet.metadata
        self._lock = threading.Lock()

    def ranges(self, group: int, columns: Sequence[int]) -> Iterator[Range]:
        """Yield where the values of columns are in the file."""
        metadata = self._metadata.row_group(group)
        for column in columns:
            chunk = metadata.column(column)
            begin = chunk.data_page_offset
            if chunk.has_dictionary_page:
                begin = min(begin, chunk.dictionary_page_offset)
            yield begin, chunk.total_compressed_size

    def read(self, group: int, columns: Sequence[int]) -> list[GroupColumn]:
        """Return some columns of a row group; raises ObjectDamaged, or the errors of the store.

        The bytes of the columns are in memory until then.
        """
        ascending = sorted(set(columns))
        ranges = list(self.ranges(group, ascending))
        try:
            with self._lock:
                self.file.load(ranges)
                table = self._parquet.reader.read_row_group(
                    group, column_indices=ascending, use_threads=len(ascending) > _FEW
                )
                self.file.forget(ranges)
        except (pa.ArrowException, OSError) as error:
            raise ObjectDamaged(self.file.key) from error
        found = {column: _decoded(chunks) for column, chunks in zip(ascending, table.columns, strict=True)}
        return [found[column] for column in columns]

    def memory_size(self, group: int, columns: Sequence[int], least: int) -> int:
        """Return how many bytes of memory columns of a row group take, each at least so many."""
        metadata = self._metadata.row_group(group)
        return sum(max(least, metadata.column(column).total_uncompressed_size) for column in columns)

    def table(self, groups: Sequence[int], columns: Sequence[int]) -> pa.Table:
        """Return columns, ascending, of several row groups; what is read for it is not kept."""
        file = self.file.copy()
        file.load(one for group in groups for one in self.ranges(group, columns))
        try:
            source = pa.BufferReader(pa.py_buffer(file.memory))
            parquet = pq.ParquetFile(source, metadata=self._metadata, page_checksum_verification=True)
            return parquet.reader.read_row_groups(groups, column_indices=columns, use_threads=len(columns) >= _SEVERAL)
        except (pa.ArrowException, OSError) as error:
            raise ObjectDamaged(self.file.key) from error


def _decoded(chunks: pa.ChunkedArray) -> GroupColumn:
    array = chunks.chunk(0) if chunks.num_chunks == 1 else pa.concat_arrays(chunks.chunks)  # copies
    rows = None
    if array.null_count:
        rows = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
        array = array.drop_null()
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return GroupColumn(rows, array if pa.types.is_string(array.type) else _numbers(array))


def _numbers(array: pa.Array) -> NDArray[Any]:
    """Return the values of an array without nulls; its own method imports pandas."""
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
        return _numbers(array).view(np.bool_)
    kind = {pa.int64(): np.int64, pa.float64(): np.float64, pa.uint8(): np.uint8}[array.type]
    return np.frombuffer(array.buffers()[1], dtype=kind)[array.offset : array.offset + len(array)]
