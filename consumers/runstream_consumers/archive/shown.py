"""Which buckets and rows of a part are in a range of steps and shown by a view. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.layout import PartRecord
from runstream_consumers.archive.part_blocks import PartBlocks
from runstream_consumers.archive.pyramid.buckets import Buckets
from runstream_consumers.history.view import Bounds, RowSource

Mask = NDArray[np.bool_]
_NONE = -(2**63)
_ALL = 2**63 - 1


class RowRange(NamedTuple):
    """Rows of one writer."""

    writer: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Range:
    """A range of steps (both inclusive), as far as a view shows the rows of a run."""

    _part: RowSource
    _writers: Sequence[bytes]
    _first: int
    _last: int
    #: The last step that is shown of a writer's rows at an offset.
    _limits: dict[tuple[int, int], int] = field(default_factory=dict)

    def divide(self, buckets: Buckets | PartBlocks, candidates: Mask) -> tuple[Mask, Mask]:
        """Return which of some buckets have only wanted rows, and which others may have some."""
        limit, later = self._limits_of(buckets, candidates)
        last = np.minimum(np.maximum(limit, later), self._last)
        some = candidates & (buckets.last_step >= self._first) & (buckets.first_step <= last)
        some &= np.maximum(limit, later) > _NONE
        complete = some & (buckets.first_step >= self._first) & (buckets.last_step <= last) & (limit == later)
        return complete, some & ~complete

    def has_all(self, part: PartRecord) -> bool:
        """Return whether all rows of a part are wanted, if that is simple: they are of one writer."""
        if len(self._writers) > 1 or part.min_step < self._first:
            return False
        limit = self._limit(0, part.first_offset)
        is_same = limit == self._limit(0, part.last_offset)
        return is_same and limit > _NONE and part.max_step <= min(limit, self._last)

    def needs_offsets(self, writer: int, first: int, last: int) -> bool:
        """Return whether offsets from one to another decide which rows of a writer are wanted."""
        return self._limit(writer, first) != self._limit(writer, last)

    def within(self, writer: int, steps: NDArray[np.int64], offset: int) -> Mask:
        """Return for each of some rows of a writer whether it is wanted, if all offsets decide as one of them does."""
        limit = self._limit(writer, offset)
        if limit == _NONE:
            return np.zeros(len(steps), dtype=np.bool_)
        found: Mask = (steps >= self._first) & (steps <= min(limit, self._last))
        return found

    def shown(self, writer: int, steps: NDArray[np.int64], offsets: NDArray[np.int64]) -> Mask:
        """Return for each of some rows of a writer, by their arrival, whether it is wanted."""
        begins = np.concatenate(([0], np.flatnonzero(np.diff(offsets)) + 1))
        first, last = self._limit(writer, int(offsets[0])), self._limit(writer, int(offsets[-1]))
        if first == last:
            limits: NDArray[np.int64] | int = first
        else:
            each = [self._limit(writer, offset) for offset in offsets[begins].tolist()]
            limits = np.repeat(np.array(each, dtype=np.int64), np.diff(np.append(begins, len(offsets))))
        found: Mask = (steps >= self._first) & (steps <= np.minimum(limits, self._last)) & (np.asarray(limits) > _NONE)
        return found

    def _limits_of(
        self, buckets: Buckets | PartBlocks, candidates: Mask
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the last shown step of the first and of the last row of each bucket."""
        if len(self._writers) == 1 and len(buckets):
            ends = int(buckets.offset.min()), int(buckets.last_offset.max())
            if not self.needs_offsets(0, *ends):
                same = np.full(len(buckets), self._limit(0, ends[0]))
                return same, same
        first, later = np.full(len(buckets), _NONE), np.full(len(buckets), _NONE)
        for writer in np.unique(buckets.writer[candidates]).tolist():
            of_writer = candidates & (buckets.writer == writer)
            ends = int(buckets.offset[of_writer].min()), int(buckets.last_offset[of_writer].max())
            if self._limit(writer, ends[0]) == self._limit(writer, ends[1]):
                first[of_writer] = later[of_writer] = self._limit(writer, ends[0])
            else:
                for array, offsets in ((first, buckets.offset), (later, buckets.last_offset)):
                    array[of_writer] = [self._limit(writer, offset) for offset in offsets[of_writer].tolist()]
        return first, later

    def _limit(self, writer: int, offset: int) -> int:
        found = self._limits.get((writer, offset))
        if found is None:
            found = _limit(self._part.bounds_of(self._writers[writer], offset))
            self._limits[writer, offset] = found
        return found


def shown_ranges(buckets: Buckets | PartBlocks, chosen: Mask, group_rows: int) -> Iterator[RowRange]:
    """Yield the rows of the chosen buckets, those of buckets that follow each other together, by row group."""
    for rows in _joined(buckets, chosen):
        begin = rows.start
        while begin < rows.stop:
            end = min(rows.stop, (begin // group_rows + 1) * group_rows)
            yield RowRange(rows.writer, begin, end)
            begin = end


def _joined(buckets: Buckets | PartBlocks, chosen: Mask) -> Iterator[RowRange]:
    numbers = np.flatnonzero(chosen)
    current: RowRange | None = None
    for writer, start, rows in zip(
        buckets.writer[numbers].tolist(), buckets.start[numbers].tolist(), buckets.rows[numbers].tolist(), strict=True
    ):
        if current is not None and (writer, start) == (current.writer, current.stop):
            current = current._replace(stop=start + rows)
            continue
        if current is not None:
            yield current
        current = RowRange(writer, start, start + rows)
    if current is not None:
        yield current


def _limit(bounds: Bounds | None) -> int:
    if bounds is None:
        return _NONE
    steps = [step for step in (bounds.ends_before, bounds.hidden_from) if step is not None]
    return max(min(steps) - 1, _NONE) if steps else _ALL
