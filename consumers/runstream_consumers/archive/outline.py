"""Charts of a part: from the pyramid, and from rows where a bucket is only partly in the range or the view."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import OFFSET, ROW_COLUMNS, STEP, TIME
from runstream_consumers.archive.part import OpenPart
from runstream_consumers.archive.part_blocks import PartBlocks
from runstream_consumers.archive.pyramid.buckets import LEVELS, Buckets
from runstream_consumers.archive.pyramid.levels import Level, level_of
from runstream_consumers.archive.shown import Range, RowRange, shown_ranges
from runstream_consumers.history.sampling import EVERY_ROW, OutlinePoints
from runstream_consumers.history.selection import Selection, key_of
from runstream_consumers.history.view import RowSource

Mask = NDArray[np.bool_]
#: Metrics whose values are in memory at once.
_AT_ONCE = 50
_OF_EVERY_ROW = tuple(ROW_COLUMNS.index(name) for name in (STEP, TIME, OFFSET))


@dataclass(frozen=True, slots=True)
class PartOutline:
    """The outline of a part."""

    _part: OpenPart

    @property
    def lines(self) -> Collection[bytes]:
        """The writers of the rows."""
        return [writer.id for writer in self._part.index.writers]

    @property
    def ascending(self) -> tuple[int, int] | None:
        """The first and the last step if no row is late with respect to others of the part and those before."""
        record = self._part.record
        return (record.min_step, record.max_step) if self._part.index.is_ascending else None

    def rows(self, first: int, last: int) -> int:
        """Return about how many rows are in a range of steps (both inclusive)."""
        record = self._part.record
        if first <= record.min_step and record.max_step <= last:
            return record.rows
        blocks = self._part.index.blocks
        begin, end = blocks.first_step.astype(np.float64), blocks.last_step.astype(np.float64)
        inside = np.minimum(end, last) - np.maximum(begin, first) + 1
        return int((blocks.rows * np.maximum(inside, 0) / (end - begin + 1)).sum())

    def start(
        self,
        selection: Selection,
        part: RowSource,
        first: int,
        last: int,
        *,
        bucket_rows: int,
        every_row: bool = False,
    ) -> Callable[[], Iterator[OutlinePoints]]:
        """Begin to read points of metrics in a range of steps, as far as a view shows them; return what yields them."""
        numbers = self._part.selected(selection)
        if not (numbers or every_row):
            return lambda: iter(())
        index = self._part.index
        wanted = Range(part, [writer.id for writer in index.writers], first, min(last, part.last_step))
        chosen, ranges = self._chosen(wanted, bucket_rows)
        reading = self._part.start_levels((level, number) for level in chosen for number in numbers)
        groups = sorted({rows.start // index.group_rows for rows in ranges})
        if numbers and groups and len(numbers) * len(groups) <= _AT_ONCE:
            columns = {column for rows in ranges for column in self._row_columns(wanted, rows)}
            of_every_row = self._part.file_of(numbers), sorted(columns)
            reading += self._part.start_reading(of_every_row, numbers, groups)
        return lambda: self._points(numbers, wanted, chosen, ranges, reading, every_row=every_row)

    def _chosen(self, wanted: Range, bucket_rows: int) -> tuple[dict[int, Mask], list[RowRange]]:
        """Return the buckets that have only wanted rows, by level, and the rows that are in no such bucket."""
        if wanted.has_all(self._part.record):
            return self._all(bucket_rows)
        within: Mask | None = None
        buckets: Buckets | PartBlocks = self._part.index.blocks
        chosen = {}
        for level in self._levels(bucket_rows):
            finer = self._part.index.buckets[level]
            candidates = np.ones(len(finer), dtype=np.bool_) if within is None else _inside(finer, buckets, within)
            complete, within = wanted.divide(finer, candidates)
            buckets = finer
            if complete.any():
                chosen[level] = complete
            if not within.any():
                return chosen, []
        if within is None:
            complete, within = wanted.divide(buckets, np.ones(len(buckets), dtype=np.bool_))
            within |= complete
        return chosen, list(shown_ranges(buckets, within, self._part.index.group_rows))

    def _all(self, bucket_rows: int) -> tuple[dict[int, Mask], list[RowRange]]:
        """Return all buckets of the coarsest level, or all rows, of a part of one writer."""
        index = self._part.index
        if levels := self._levels(bucket_rows):
            return {levels[0]: np.ones(len(index.buckets[levels[0]]), dtype=np.bool_)}, []
        starts = range(0, index.rows, index.group_rows)
        return {}, [RowRange(0, start, min(start + index.group_rows, index.rows)) for start in starts]

    def _points(
        self,
        numbers: Sequence[int],
        wanted: Range,
        chosen: Mapping[int, Mask],
        ranges: Iterable[RowRange],
        reading: Iterable[Future[None]],
        *,
        every_row: bool,
    ) -> Iterator[OutlinePoints]:
        for read in reading:
            read.result()
        for level, complete in chosen.items():
            yield from self._of_level(numbers, level, complete)
            if every_row:
                yield from self._ends(self._part.index.buckets[level], complete)
        for rows in ranges:
            if every_row:
                yield from self._rows(wanted, rows)
            for start in range(0, len(numbers), _AT_ONCE):
                yield from self._of_rows(numbers[start : start + _AT_ONCE], wanted, rows)

    def _levels(self, bucket_rows: int) -> list[int]:
        """Return the levels of buckets of at most so many rows that the part has, coarsest first."""
        return [level for level in reversed(range(len(self._part.index.buckets))) if LEVELS[level] <= bucket_rows]

    def _of_level(self, numbers: Sequence[int], level: int, complete: Mask) -> Iterator[OutlinePoints]:
        index = self._part.index
        writers = index.buckets[level].writer
        for number in numbers:
            found = self._part.level(level, number)
            of_metric = np.flatnonzero(complete[found.bucket])
            key = key_of(index.directory.columns[number][0])
            if len(of_metric) == len(found.bucket) and len(index.writers) == 1:
                yield self._of_whole_level(key, level, number, found)
                continue
            for rows in _by_writer(writers[found.bucket], of_metric):
                writer = index.writers[int(writers[found.bucket[rows[0]]])].id
                yield _points(key, writer, found, rows)

    def _of_whole_level(self, key: str, level: int, number: int, found: Level) -> OutlinePoints:
        """Return the points of all buckets, which are kept: charts of all rows need nothing else of most parts."""
        place = (self._part.record.part, "points", level, number)
        points: OutlinePoints | None = self._part.decoded.get(place)
        if points is None:
            points = _points(key, self._part.index.writers[0].id, found, np.arange(len(found.bucket)))
            self._part.decoded.put(place, points, 32 * len(points.steps) + 200)
        return points

    def _ends(self, buckets: Buckets, chosen: Mask) -> Iterator[OutlinePoints]:
        """Yield the rows at the least and the greatest step of each chosen bucket, for all of its rows."""
        numbers = np.flatnonzero(chosen)
        if not len(numbers):
            return
        size = self._part.index.rows
        steps, times = self._part.row_columns(0, size, _OF_EVERY_ROW[:2], 0)
        found = level_of(buckets, np.arange(size), steps, times, np.zeros(size))
        for of_writer in _by_writer(buckets.writer, numbers):
            yield _points(EVERY_ROW, self._part.index.writers[int(buckets.writer[of_writer[0]])].id, found, of_writer)

    def _rows(self, wanted: Range, rows: RowRange) -> Iterator[OutlinePoints]:
        """Yield the wanted ones of some rows of one writer."""
        steps, times, good = self._wanted(wanted, rows, 0)
        if good.any():
            writer = self._part.index.writers[rows.writer].id
            yield OutlinePoints(EVERY_ROW, writer, steps[good], times[good], np.zeros(int(good.sum())), None)

    def _of_rows(self, numbers: Sequence[int], wanted: Range, rows: RowRange) -> Iterator[OutlinePoints]:
        """Yield the values of rows of one writer."""
        steps, times, good = self._wanted(wanted, rows, self._part.file_of(numbers))
        if not good.any():
            return
        directory, writer = self._part.index.directory, self._part.index.writers[rows.writer].id
        is_whole = bool(good.all())
        for number, (index, values) in zip(numbers, self._part.values(numbers, rows.start, rows.stop), strict=True):
            key = key_of(directory.columns[number][0])
            if is_whole and index is None:
                yield OutlinePoints(key, writer, steps, times, values.astype(np.float64, copy=False), None)
                continue
            chosen = good if index is None else good[index]
            if chosen.any():
                at = np.flatnonzero(good) if index is None else index[chosen]
                points = values[chosen].astype(np.float64)
                yield OutlinePoints(key, writer, steps[at], times[at], points, None)

    def _wanted(self, wanted: Range, rows: RowRange, file: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
        """Return the steps and times of some rows of one writer, and which of them are wanted."""
        columns = self._row_columns(wanted, rows)
        steps, times, *offsets = self._part.row_columns(rows.start, rows.stop, columns, file)
        if offsets:
            return steps, times, wanted.shown(rows.writer, steps, offsets[0])
        return steps, times, wanted.within(rows.writer, steps, self._part.record.first_offset)

    def _row_columns(self, wanted: Range, rows: RowRange) -> Sequence[int]:
        """Return what of every row is needed: without its offset, unless rows were hidden while these arrived."""
        record = self._part.record
        if wanted.needs_offsets(rows.writer, record.first_offset, record.last_offset):
            return _OF_EVERY_ROW
        return _OF_EVERY_ROW[:2]


def _inside(finer: Buckets, coarser: Buckets | PartBlocks, chosen: Mask) -> Mask:
    """Return for each finer bucket whether it is in one of the chosen coarser ones."""
    found: Mask = chosen[np.searchsorted(coarser.start, finer.start, side="right") - 1]
    return found


def _by_writer(writers: NDArray[np.int64], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(writers[rows])) + 1)


def _points(key: str, writer: bytes, level: Level, rows: NDArray[np.int64]) -> OutlinePoints:
    """Return the distinct points of some buckets, each with its part of the number of values."""
    steps = np.stack([points.steps[rows] for points in level.points])
    times = np.stack([points.times[rows] for points in level.points])
    values = np.stack([points.values[rows] for points in level.points])
    distinct = np.ones(steps.shape, dtype=np.bool_)
    for later in range(1, len(steps)):
        for earlier in range(later):
            same = (steps[later] == steps[earlier]) & (times[later] == times[earlier])
            both = (values[later] == values[earlier]) | (np.isnan(values[later]) & np.isnan(values[earlier]))
            distinct[later] &= ~(same & both)
    weights = np.broadcast_to(level.count[rows] / distinct.sum(axis=0), steps.shape)
    return OutlinePoints(key, writer, steps[distinct], times[distinct], values[distinct], weights[distinct])
