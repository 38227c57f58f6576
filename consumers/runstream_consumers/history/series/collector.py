"""Collection of the points of metrics, from blocks and from outlines of the archive. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.block_source import Outline
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.late_rows import LateRowFilter
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.sampling import EVERY_ROW, OutlinePoints, Sampler, Series, bucket_rows
from runstream_consumers.history.selection import Selection, key_of
from runstream_consumers.history.series.query import RowQuery
from runstream_consumers.history.view import RowSource
from runstream_schemas.events import LogEvent, Stream
from runstream_schemas.rows import column_values

_FEWEST_SAMPLES = 4

#: What yields the points of outlines.
Reading = Sequence[Callable[[], Iterator[OutlinePoints]]]


@dataclass(frozen=True, slots=True)
class Origin:
    """A training process, as identified by the shipper that measures it."""

    #: Its writer id.
    trainer: bytes
    label: str
    host: str


def origin_of(event: LogEvent) -> Origin | None:
    """Return the origin in the last row of a block, or None if it has none, as blocks of older shippers."""
    fields = {
        column.path[0]: values[-1]
        for column in event.columns
        if column.path in ORIGIN_PATHS and (values := column_values(column, event.count))
    }
    try:
        trainer = bytes.fromhex(str(fields.get("trainer", "")))
    except ValueError:
        return None
    if not trainer:
        return None
    return Origin(trainer, str(fields.get("label", "")), str(fields.get("host", "")))


#: Columns that identify the origin.
ORIGIN_PATHS = frozenset({("trainer",), ("label",), ("host",)})


class SeriesCollector:
    """Samples the numeric columns of blocks, by key and writer."""

    def __init__(self, query: RowQuery, samples: int, origins: dict[bytes, Origin] | None, *, every_row: bool) -> None:
        #: The writer under whose series the rows of a writer are drawn, if it is another one.
        self.lines: Mapping[bytes, bytes] = {}
        self.query = query
        self._samples = max(samples, _FEWEST_SAMPLES)
        self._every_row = every_row
        # Rows that have only a text of the keys count as rows.
        self._selection = Selection.of(query.keys, is_numeric=query.keys is None or not every_row)
        if query.stream is Stream.SYSTEM:
            self._selection.always = ORIGIN_PATHS
        self._samplers: dict[tuple[str, bytes], Sampler] = {}
        self._origins = {} if origins is None else origins
        self._filter = None if query.late else LateRowFilter()
        #: The last step that was drawn of rows of which none is late.
        self._drawn_to = NO_STEP

    @property
    def may_draw(self) -> bool:
        """Whether outlines may have all that is wanted: not whom a shipper measured, nor which rows have some keys."""
        are_rows_known = not self._every_row or self.query.keys is None
        return self.query.stream is Stream.HISTORY and are_rows_known

    def can_draw(self, view: Sequence[RowSource], outlines: Sequence[tuple[RowSource, Outline]]) -> bool:
        """Return whether outlines have all that is wanted.

        Without late rows, it has to be known of all rows that none is late: they are of one writer, which ascends.
        """
        if self._filter is None:
            return True
        if len(view) > 1 or view[0].facts.branches or len(view[0].facts.writers) > 1:
            return False
        ranges = [outline.ascending for _, outline in outlines]
        known = sorted(one for one in ranges if one is not None)
        return len(known) == len(ranges) and all(before[1] < after[0] for before, after in pairwise(known))

    def start(self, outlines: Sequence[tuple[RowSource, Outline]]) -> Reading:
        """Begin to read the points of outlines, so many as a chart can show."""
        # What arrived later at one of these steps, or before them, is late.
        self._drawn_to = max((one[1] for _, outline in outlines if (one := outline.ascending)), default=NO_STEP)
        first, last = self.query.first, self.query.last
        rows = sum(outline.rows(first, last) for _, outline in outlines)
        lines = {self.lines.get(line, line) for _, outline in outlines for line in outline.lines}
        size = bucket_rows(rows, max(1, len(lines)), self._samples)
        return [
            outline.start(self._selection, part, first, last, bucket_rows=size, every_row=self._every_row)
            for part, outline in outlines
        ]

    def draw(self, reading: Reading) -> None:
        """Add the points of outlines that are being read."""
        for points in reading:
            for found in points():
                sampler = self._sampler(found.key, self.lines.get(found.writer, found.writer))
                sampler.add(found.steps, found.times, found.values, found.weights)

    def extend(self, blocks: Sequence[Block]) -> None:
        """Add the rows of blocks."""
        for block in blocks:
            if not block.is_shown:
                continue
            event = block.payload.decode(self._selection)
            wanted = (event.steps >= self.query.first) & (event.steps <= self.query.last)
            if (shown := block.shown(event.steps)) is not None:
                wanted &= shown
            if self._filter is not None and self._drawn_to > NO_STEP:
                wanted &= event.steps > self._drawn_to
            if self._filter is None:
                self._add(event, wanted)
            else:
                for _, decided, good in self._filter.add(block, event, wanted):
                    self._add(decided, good)

    def result(self) -> dict[tuple[str, bytes], Series]:
        """Return the series, after all blocks were added."""
        if self._filter is not None:
            for _, event, good in self._filter.rest():
                self._add(event, good)
        return {place: sampler.series() for place, sampler in sorted(self._samplers.items())}

    def _add(self, event: LogEvent, wanted: NDArray[np.bool_]) -> None:
        if not wanted.any():
            return
        line = self._line(event)
        for key, steps, times, values in _points(event, None if wanted.all() else wanted):
            self._sampler(key, line).add(steps, times, values)
        if self._every_row:
            if self.query.keys is not None:
                wanted = wanted & _rows_with_columns(event)
            self._sampler(EVERY_ROW, line).add(event.steps[wanted], event.times[wanted], np.zeros(wanted.sum()))

    def _sampler(self, key: str, line: bytes) -> Sampler:
        found = self._samplers.get((key, line))
        if found is None:
            found = self._samplers[key, line] = Sampler(self._samples)
        return found

    def _line(self, event: LogEvent) -> bytes:
        if self.query.stream is Stream.SYSTEM and (origin := origin_of(event)) is not None:
            self._origins[origin.trainer] = origin
            return origin.trainer
        return self.lines.get(event.writer.id, event.writer.id)


def _points(
    event: LogEvent, wanted: NDArray[np.bool_] | None
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Yield key, steps, times and values of the numeric columns of a block."""
    for column in event.columns:
        if column.values is None:
            continue
        values = column.values.astype(np.float64)
        steps, times = event.steps, event.times
        if column.rows is not None:
            steps, times = steps[column.rows], times[column.rows]
        if wanted is not None:
            inside = wanted if column.rows is None else wanted[column.rows]
            steps, times, values = steps[inside], times[inside], values[inside]
        if len(steps):
            yield key_of(column.path), steps, times, values


def _rows_with_columns(event: LogEvent) -> NDArray[np.bool_]:
    """Return for each row whether it has a value in any of the decoded columns."""
    found = np.zeros(event.count, dtype=np.bool_)
    for column in event.columns:
        found[slice(None) if column.rows is None else column.rows] = True
    return found
