"""An open part of the archive: its index, and its rows as far as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import OFFSET, ORDER, ROW_COLUMNS, STEP, TIME, ColumnId
from runstream_consumers.archive.layout import PartRecord
from runstream_consumers.archive.parquet.reader import GroupColumn, ParquetReader
from runstream_consumers.archive.part_blocks import PartBlock
from runstream_consumers.archive.part_index import PartIndex
from runstream_consumers.archive.pyramid.levels import Level
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.archive.storage.object_file import ObjectFile
from runstream_consumers.history.selection import Selection
from runstream_schemas.events import Column, ColumnType, Header, Kind, LogEvent

#: Row groups that are read at once, at most, when a part is read in order.
_AHEAD = 32
_OF_EVERY_ROW = tuple(ROW_COLUMNS.index(name) for name in (STEP, TIME, ORDER, OFFSET))
_OFFSET = ROW_COLUMNS.index(OFFSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPart:
    """A part; its methods read what they need, so they are called in threads.

    They raise ObjectMissing, ObjectDamaged or StoreUnavailable.
    """

    record: PartRecord
    index: PartIndex
    index_file: ObjectFile
    #: Opens one of its Parquet files.
    file: Callable[[int], ParquetReader]
    #: Decoded columns of row groups and levels, of all parts.
    decoded: Cache[Any]
    #: Runs a function in a thread.
    start: Callable[[Callable[[], None]], Future[None]]
    _selected: dict[Any, list[int]] = field(default_factory=dict)

    def selected(self, selection: Selection) -> list[int]:
        """Return the numbers of the selected columns."""
        wanted = (selection.keys, selection.is_numeric, selection.always)
        if (found := self._selected.get(wanted)) is None:
            found = self._selected[wanted] = self.index.directory.selected(selection)
        return found

    def event(self, block: PartBlock, selection: Selection) -> LogEvent:
        """Return the rows of a block with the selected columns."""
        numbers = self.selected(selection)
        stop = block.start + block.rows
        self._read_together(numbers, block.start, stop)
        steps, times, orders, _ = self.row_columns(block.start, stop, _OF_EVERY_ROW, self.file_of(numbers))
        columns = [
            column
            for number, (rows, values) in zip(numbers, self.values(numbers, block.start, stop), strict=True)
            if (column := _column(self.index.directory.columns[number], rows, values, block.rows)) is not None
        ]
        header = Header(
            kind=Kind.DATA,
            run=self.record.run,
            writer=self.index.writers[block.writer],
            time=int(times[0]),
            seq=block.seq,
            count=block.rows,
        )
        return LogEvent(
            header=header, stream=self.record.stream, orders=orders, steps=steps, times=times, columns=columns
        )

    def offsets(self, block: PartBlock) -> NDArray[np.int64]:
        """Return the offset of each row of a block."""
        [found] = self.row_columns(block.start, block.start + block.rows, (_OFFSET,), 0)
        return found

    def file_of(self, numbers: Sequence[int]) -> int:
        """Return the file of the first of some columns: all files have the columns that every row has."""
        return self.index.directory.place(numbers[0])[0] if numbers else 0

    def row_columns(self, start: int, stop: int, columns: Sequence[int], file: int) -> list[NDArray[np.int64]]:
        """Return columns that every row has, between two rows, from one of the files."""
        groups = [self._group(file, group, columns) for group in self._groups(start, stop)]
        parts = [
            [column.part(*self._within(group, start, stop))[1] for column in found]
            for group, found in zip(self._groups(start, stop), groups, strict=True)
        ]
        return [pieces[0] if len(pieces) == 1 else np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def values(self, numbers: Sequence[int], start: int, stop: int) -> list[tuple[NDArray[np.int64] | None, Any]]:
        """Return of each column the rows that have a value, relative to ``start``, None for all, and the values."""
        by_file: dict[int, list[int]] = {}
        for number in numbers:
            by_file.setdefault(self.index.directory.place(number)[0], []).append(number)
        pieces: dict[int, list[tuple[int, int, Any, Any]]] = {number: [] for number in numbers}
        for file, of_file in by_file.items():
            places = [self.index.directory.place(number)[1] for number in of_file]
            for group in self._groups(start, stop):
                first, last = self._within(group, start, stop)
                for number, column in zip(of_file, self._group(file, group, places), strict=True):
                    begin = group * self.index.group_rows + first - start
                    pieces[number].append((begin, last - first, *column.part(first, last)))
        return [_joined(pieces[number]) for number in numbers]

    def level(self, level: int, column: int) -> Level:
        """Return a level of the pyramid of a metric."""
        key = (self.record.part, "level", level, column)
        found: Level | None = self.decoded.get(key)
        if found is None:
            data = self.index_file.read(*self.index.place(level, column))
            found = self.index.decode(level, data)
            self.decoded.put(key, found, 120 * len(found.bucket))
        return found

    def start_reading(
        self, rows: tuple[int, Sequence[int]], values: Sequence[int], groups: Sequence[int]
    ) -> list[Future[None]]:
        """Begin to read columns of row groups at once: those of one file that every row has, and those of values."""
        files: dict[int, set[int]] = {rows[0]: set(rows[1])}
        for number in values:
            file, position = self.index.directory.place(number)
            files.setdefault(file, set()).add(position)
        needed = ((file, group, column) for file, columns in files.items() for group in groups for column in columns)
        if all(self.decoded.get((self.record.part, *place)) is not None for place in needed):
            return []
        return [self.start(lambda: self._read(files, groups))]

    def start_levels(self, places: Iterable[tuple[int, int]]) -> list[Future[None]]:
        """Begin to read levels of metrics."""
        missing = [place for place in places if self.decoded.get((self.record.part, "level", *place)) is None]
        if not missing:
            return []
        ranges = [self.index.place(*place) for place in missing]
        return [self.start(lambda: self.index_file.load(ranges))]

    def _read_together(self, numbers: Sequence[int], start: int, stop: int) -> None:
        """Read columns between two rows with those that every row has: one request for both."""
        file = self.file_of(numbers)
        places = [self.index.directory.place(number) for number in numbers]
        columns = [*_OF_EVERY_ROW, *(position for found, position in places if found == file)]
        for group in self._groups(start, stop):
            self._group(file, group, columns)

    def _read(self, files: Mapping[int, Iterable[int]], groups: Sequence[int]) -> None:
        for number, columns in files.items():
            reader = self.file(number)
            reader.file.load(one for group in groups for one in reader.ranges(group, sorted(columns)))
            for group in groups:
                self._group(number, group, sorted(columns))

    def _group(self, file: int, group: int, columns: Sequence[int]) -> list[GroupColumn]:
        found = {column: self.decoded.get((self.record.part, file, group, column)) for column in columns}
        if missing := [column for column, values in found.items() if values is None]:
            reader = self.file(file)
            if ahead := self._read_before(file, group, missing[0]):
                last = min(group + ahead, -(-self.index.rows // self.index.group_rows))
                reader.file.load(part for one in range(group, last) for part in reader.ranges(one, missing))
            for column, values in zip(missing, reader.read(group, missing), strict=True):
                self.decoded.put((self.record.part, file, group, column), values, values.size + 100)
                found[column] = values
        return [values for values in found.values() if values is not None]

    def _read_before(self, file: int, group: int, column: int) -> int:
        """Return how many groups before one were read of a column: as many are read ahead, since more may follow."""
        count = 0
        while count < min(group, _AHEAD):
            if self.decoded.get((self.record.part, file, group - count - 1, column)) is None:
                break
            count += 1
        return count

    def _groups(self, start: int, stop: int) -> range:
        return range(start // self.index.group_rows, (stop - 1) // self.index.group_rows + 1)

    def _within(self, group: int, start: int, stop: int) -> tuple[int, int]:
        """Return the part of a group that is between two rows, relative to the group."""
        begin = group * self.index.group_rows
        return max(start - begin, 0), min(stop - begin, self.index.group_rows)


def _joined(pieces: Sequence[tuple[int, int, Any, Any]]) -> tuple[NDArray[np.int64] | None, Any]:
    if len(pieces) == 1:
        return pieces[0][2:]
    values = [values for *_, values in pieces]
    is_numbers = isinstance(values[0], np.ndarray)
    joined: Any = np.concatenate(values) if is_numbers else [text for one in values for text in one]
    if all(rows is None for _, _, rows, _ in pieces):
        return None, joined
    rows = [np.arange(begin, begin + size) if rows is None else rows + begin for begin, size, rows, _ in pieces]
    return np.concatenate(rows), joined


def _column(column: ColumnId, rows: NDArray[np.int64] | None, values: Any, count: int) -> Column | None:
    """Return the column of an event; None if it has no values."""
    if not len(values):
        return None
    path, kind = column
    index = None if rows is None or len(rows) == count else rows.astype(np.uint32)
    if kind is ColumnType.JSON:
        texts = [text if isinstance(text, str) else text.as_py() for text in values]
        return Column(path=path, type=kind, rows=index, texts=texts)
    return Column(path=path, type=kind, rows=index, values=None if kind is ColumnType.NULL else values)
