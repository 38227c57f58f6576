"""Read the rows of a run: all of them page by page, or a sample for a chart.

Blocks are fetched on the event loop; decoding them and everything done with their rows runs in worker threads, a batch
at a time, so that a long read does not delay other requests.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.block_source import BlockSource, blocks_by_step, load_view
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.late_rows import LateRowFilter
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import GREATEST, Cursor, HistoryRow, Page, PageBuilder, RowPicker
from runstream_consumers.history.sampling import EVERY_ROW, Sampler, Series, choose_rows
from runstream_consumers.history.selection import Selection, key_of
from runstream_consumers.history.view import lines_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import LogEvent, Stream
from runstream_schemas.rows import column_values
from runstream_schemas.topics import RunPath

__all__ = [
    "Cursor",
    "HistoryRow",
    "Origin",
    "Page",
    "RowQuery",
    "Series",
    "fingerprint",
    "keys",
    "sample",
    "scan",
    "series",
]

#: Number of rows examined for one page.
_BUDGET = 200_000
_FEWEST_SAMPLES = 4
#: Number of the latest blocks whose keys are listed.
_KEY_BLOCKS = 32


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Which rows are wanted."""

    stream: Stream = Stream.HISTORY
    #: Only the values of these keys, and only rows that have at least one of them. A key is the path of a column
    #: joined by dots, or of a dict, which selects everything in it. None selects all values of all rows.
    keys: Sequence[str] | None = None
    #: First step, inclusive.
    min_step: int | None = None
    #: End of the range of steps, exclusive.
    max_step: int | None = None
    #: Whether to include rows below their writer's greatest step, and rows at a step that another row has.
    late: bool = True

    @property
    def first(self) -> int:
        """The first step."""
        return NO_STEP if self.min_step is None else self.min_step

    @property
    def last(self) -> int:
        """The last step, inclusive."""
        return GREATEST if self.max_step is None else max(self.max_step - 1, NO_STEP)


async def scan(
    source: BlockSource,
    run: RunPath,
    query: RowQuery,
    *,
    after: Cursor | None = None,
    limit: int = 1000,
    hidden: bool = False,
) -> Page:
    """Return the rows of a run after a cursor, by (step, offset, order), exactly as they were logged.

    The rows that a fork inherits come before its own at the same step. An unknown run has no rows.

    A page may hold fewer rows than ``limit``, even none, while there are more pages, if wanted rows are rare. With
    ``hidden``, rows that a resumed or rewound run has replaced are included and marked.
    """
    builder = PageBuilder(
        Selection.of(query.keys),
        limit=limit,
        first_step=query.first,
        last_step=query.last,
        after=after,
        budget=max(_BUDGET, 2 * limit),
        late=query.late,
        hidden=hidden,
    )
    begin = query.first if after is None else max(query.first, after.step)
    async with source.snapshot():
        view = await load_view(source, run, query.stream)
        async for blocks in blocks_by_step(source, view, query.stream, begin, query.last):
            if await asyncio.to_thread(builder.extend, blocks):
                break
    return await asyncio.to_thread(builder.page)


async def series(
    source: BlockSource,
    run: RunPath,
    query: RowQuery,
    *,
    samples: int = 500,
    joined: bool = False,
    origins: dict[bytes, Origin] | None = None,
    every_row: bool = False,
) -> dict[tuple[str, bytes], Series]:
    """Return for each numeric key and writer a series of at most ``samples`` points (at least 4) with its extremes.

    A key that names a dict yields a series for each number in it. Booleans become 0 and 1; integers beyond 2**53 are
    rounded; keys without numbers are omitted.

    With ``joined``, a writer and those it continues form one series, under the last of them. Metrics of one training
    process form one series under its writer, whichever shippers measured them; ``origins`` receives their origins.
    With ``every_row``, the rows of each writer form a series of zeros under the key :data:`EVERY_ROW`.
    """
    collector = _SeriesCollector(query, samples, origins, every_row=every_row)
    async with source.snapshot():
        view = await load_view(source, run, query.stream)
        if joined:
            collector.lines = {writer.bytes: line.bytes for writer, line in lines_of(view).items()}
        async for blocks in blocks_by_step(source, view, query.stream, query.first, query.last):
            await asyncio.to_thread(collector.extend, blocks)
    return await asyncio.to_thread(collector.result)


async def sample(source: BlockSource, run: RunPath, query: RowQuery, *, samples: int) -> list[HistoryRow]:
    """Return at most ``samples`` whole rows by step, among them the first, the last and each numeric key's extremes.

    There are fewer only if the run has fewer; nothing is chosen at random.
    """
    # Rows of several keys coincide, so more points of each are collected than rows are returned.
    points = await series(source, run, query, samples=4 * samples + 4, every_row=True)
    places = await asyncio.to_thread(choose_rows, points, samples)
    picker = RowPicker(Selection.of(query.keys), places, late=query.late)
    if places:
        async with source.snapshot():
            view = await load_view(source, run, query.stream)
            async for blocks in blocks_by_step(source, view, query.stream, places[0].step, places[-1].step):
                await asyncio.to_thread(picker.extend, blocks)
    return picker.rows(samples)


async def fingerprint(source: BlockSource, run: RunPath, stream: Stream) -> str:
    """Return a text that changes whenever the rows of a run's view change."""
    view = await load_view(source, run, stream)
    digest = hashlib.sha256()
    for part in view:
        latest = [block async for blocks in source.latest(part.facts.run, stream, most=1) for block in blocks]
        digest.update(repr((part.facts, [(block.offset, block.seq) for block in latest])).encode())
    return digest.hexdigest()[:32]


async def keys(source: BlockSource, run: RunPath, *, stream: Stream) -> list[str]:
    """Return the numeric keys of the latest blocks of a stream, sorted."""
    selection = Selection.of(None, is_numeric=True)
    found: set[str] = set()
    async for blocks in source.latest(run_key(run), stream, most=_KEY_BLOCKS):
        found |= await asyncio.to_thread(_keys_of, blocks, selection)
    return sorted(found)


class _SeriesCollector:
    """Samples the numeric columns of blocks, by key and writer."""

    def __init__(self, query: RowQuery, samples: int, origins: dict[bytes, Origin] | None, *, every_row: bool) -> None:
        #: The writer under whose series the rows of a writer are drawn, if it is another one.
        self.lines: Mapping[bytes, bytes] = {}
        self._query = query
        self._samples = max(samples, _FEWEST_SAMPLES)
        self._every_row = every_row
        # Rows that have only a text of the keys count as rows.
        self._selection = Selection.of(query.keys, is_numeric=query.keys is None or not every_row)
        if query.stream is Stream.SYSTEM:
            self._selection.always = ORIGIN_PATHS
        self._samplers: dict[tuple[str, bytes], Sampler] = {}
        self._origins = {} if origins is None else origins
        self._filter = None if query.late else LateRowFilter()

    def extend(self, blocks: Sequence[Block]) -> None:
        """Add the rows of blocks."""
        for block in blocks:
            if not block.is_shown:
                continue
            event = block.payload.decode(self._selection)
            wanted = (event.steps >= self._query.first) & (event.steps <= self._query.last)
            if (shown := block.shown(event.steps)) is not None:
                wanted &= shown
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
            if self._query.keys is not None:
                wanted = wanted & _rows_with_columns(event)
            self._sampler(EVERY_ROW, line).add(event.steps[wanted], event.times[wanted], np.zeros(wanted.sum()))

    def _sampler(self, key: str, line: bytes) -> Sampler:
        found = self._samplers.get((key, line))
        if found is None:
            found = self._samplers[key, line] = Sampler(self._samples)
        return found

    def _line(self, event: LogEvent) -> bytes:
        if self._query.stream is Stream.SYSTEM and (origin := origin_of(event)) is not None:
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


def _keys_of(blocks: Sequence[Block], selection: Selection) -> set[str]:
    return {key_of(column.path) for block in blocks for column in block.payload.decode(selection).columns}
