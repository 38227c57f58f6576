"""Read rows of a part as Arrow arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runstream_consumers.archive.bulk.stretches import Stretch
from runstream_consumers.archive.columns import ROW_COLUMNS, STEP, TIME, ColumnId
from runstream_consumers.archive.part import OpenPart
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.tables.row_table import Mask, Numbers, Source

_STEP, _TIME = ROW_COLUMNS.index(STEP), ROW_COLUMNS.index(TIME)


class UnsuitableError(Exception):
    """Rows have to be read as blocks: their steps do not ascend, or they have too many columns."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Rows of one writer by ascending steps, none of them late or hidden."""

    steps: Numbers
    #: Microseconds since 1970; empty if they were not asked for.
    times: Numbers
    sources: Sequence[Source]
    #: The values of each column, null where a row has none; those without values are left out.
    columns: Mapping[ColumnId, pa.Array]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def late(self) -> Mask:
        """For each row, that it is not late."""
        return np.broadcast_to(np.False_, len(self))

    @property
    def hidden(self) -> Mask:
        """For each row, that it is not hidden."""
        return np.broadcast_to(np.False_, len(self))

    @property
    def source(self) -> Numbers:
        """For each row, the number of its source."""
        return np.broadcast_to(np.int64(0), len(self))

    @property
    def values(self) -> int:
        """The number of values."""
        return sum(len(array) - array.null_count for array in self.columns.values())

    def cut(self, start: int, stop: int) -> Chunk:
        """Return the rows between two rows."""
        columns = {column: array[start:stop] for column, array in self.columns.items()}
        return replace(self, steps=self.steps[start:stop], times=self.times[start:stop], columns=_present(columns))

    def take(self, rows: NDArray[np.int64]) -> Chunk:
        """Return some of the rows, ascending."""
        columns = {column: array.take(pa.array(rows)) for column, array in self.columns.items()}
        times = self.times[rows] if len(self.times) else self.times
        return replace(self, steps=self.steps[rows], times=times, columns=_present(columns))


def read_chunk(stretch: Stretch, selection: Selection, *, with_times: bool) -> Chunk:
    """Return the wanted rows of a stretch, with keys also those that have none of them.

    Raises UnsuitableError if the steps do not ascend, ObjectMissing, ObjectDamaged or StoreUnavailable.
    """
    part = stretch.part
    numbers = part.selected(selection)
    of_rows = [column for column, wanted in ((_STEP, not stretch.is_dense), (_TIME, with_times)) if wanted]
    found = _columns(part, numbers, of_rows, stretch.start, stretch.stop)
    dense = np.arange(stretch.first_step, stretch.last_step + 1) if stretch.is_dense else None
    steps = _numbers(found[0, _STEP]) if dense is None else dense
    if not bool((steps[1:] > steps[:-1]).all()):
        raise UnsuitableError
    names = part.index.directory
    columns = {names.columns[number]: found[names.place(number)] for number in numbers}
    times = _numbers(found[0, _TIME]) if with_times else steps[:0]
    chunk = Chunk(steps=steps, times=times, sources=[stretch.source], columns=_present(columns))
    first, end = np.searchsorted(steps, (stretch.first, stretch.last + 1))
    return chunk if (first, end) == (0, len(steps)) else chunk.cut(int(first), int(end))


def with_values(chunk: Chunk) -> Chunk:
    """Return the rows that have a value."""
    if any(not array.null_count for array in chunk.columns.values()):
        return chunk
    masks = (array.is_valid().to_numpy(zero_copy_only=False) for array in chunk.columns.values())
    return chunk.take(np.flatnonzero(reduce(np.logical_or, masks, np.zeros(len(chunk), dtype=np.bool_))))


def group_bytes(part: OpenPart, selection: Selection, group: int) -> int:
    """Return about how many bytes of memory the selected columns of a row group take."""
    rows = min(part.index.group_rows, part.index.rows - group * part.index.group_rows)
    by_file = _by_file(part, part.selected(selection), ())
    return sum(part.file(file).memory_size(group, columns, 8 * rows) for file, columns in by_file.items())


def _columns(
    part: OpenPart, numbers: Sequence[int], of_rows: Sequence[int], start: int, stop: int
) -> dict[tuple[int, int], pa.Array]:
    """Return columns of rows, by file and position; those that every row has as if they were in file 0."""
    size = part.index.group_rows
    groups = range(start // size, (stop - 1) // size + 1)
    found = {}
    for file, columns in _by_file(part, numbers, of_rows).items():
        table = part.file(file).table(groups, columns).slice(start - groups.start * size, stop - start)
        for column, chunks in zip(columns, table.columns, strict=True):
            found[0 if column in of_rows else file, column] = _whole(chunks)
    return found


def _by_file(part: OpenPart, numbers: Sequence[int], of_rows: Sequence[int]) -> dict[int, list[int]]:
    files: dict[int, list[int]] = {part.file_of(numbers): [*of_rows]} if of_rows else {}
    for number in numbers:
        file, position = part.index.directory.place(number)
        files.setdefault(file, []).append(position)
    return {file: sorted(columns) for file, columns in files.items()}


def _whole(chunks: pa.ChunkedArray) -> pa.Array:
    return chunks.chunk(0) if chunks.num_chunks == 1 else pa.concat_arrays(chunks.chunks)


def _numbers(array: Any) -> Numbers:
    found: Numbers = array.cast(pa.int64()).to_numpy()
    return found


def _present(columns: Mapping[ColumnId, pa.Array]) -> dict[ColumnId, pa.Array]:
    return {column: array for column, array in columns.items() if array.null_count < len(array)}
