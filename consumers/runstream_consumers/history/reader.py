"""Read the rows of a run: all of them page by page, or a sample for a chart.

Blocks are fetched on the event loop; decoding them and everything done with their rows runs in worker threads, a batch
at a time, so that a long read does not delay other requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from runstream_consumers.history.block_source import (
    BlockSource,
    blocks_by_step,
    load_view,
    outlines_by_part,
    recent_by_step,
)
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.paging import GREATEST, HistoryRow, Page, PageBuilder
from runstream_consumers.history.sampling import Series, choose_rows
from runstream_consumers.history.selection import Selection, key_of
from runstream_consumers.history.series.collector import Origin, SeriesCollector
from runstream_consumers.history.series.curves import curves, fingerprint_of
from runstream_consumers.history.series.query import RowQuery
from runstream_consumers.history.tables.row_picker import RowPicker
from runstream_consumers.history.tables.row_table import Cursor, RowTable
from runstream_consumers.history.view import RowSource, lines_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

__all__ = [
    "PAGE_BYTES",
    "Cursor",
    "HistoryRow",
    "Origin",
    "Page",
    "RowQuery",
    "RowTable",
    "Series",
    "chart",
    "curves",
    "fingerprint",
    "keys",
    "page_budget",
    "page_builder",
    "sample",
    "scan",
    "series",
]

T = TypeVar("T")

BlocksByStep = Callable[[BlockSource, Sequence[RowSource], Stream, int, int], AsyncIterator[Sequence[Block]]]

#: Number of rows examined for one page.
_BUDGET = 200_000
#: Bytes of blocks that are read at once for a page.
PAGE_BYTES = 512 * 1024
#: Number of the latest blocks whose keys are listed.
_KEY_BLOCKS = 32


async def scan(
    source: BlockSource,
    run: RunPath,
    query: RowQuery,
    *,
    after: Cursor | None = None,
    limit: int = 1000,
    values: int = GREATEST,
    hidden: bool = False,
) -> Page:
    """Return the rows of a run after a cursor, by (step, offset, order), exactly as they were logged.

    The rows that a fork inherits come before its own at the same step. An unknown run has no rows.

    A page may hold fewer rows than ``limit``, even none, while there are more pages, if wanted rows are rare or if it
    has about ``values`` values. With ``hidden``, rows that a resumed or rewound run has replaced are included and
    marked.
    """
    builder = page_builder(query, after=after, limit=limit, values=values, hidden=hidden)
    begin = query.first if after is None else max(query.first, after.step)
    async with source.reading(run_key(run), query.stream, begin, query.last, size=PAGE_BYTES) as stored:
        view = await load_view(stored, run, query.stream)
        async for blocks in blocks_by_step(stored, view, query.stream, begin, query.last, rows=limit):
            if await asyncio.to_thread(builder.extend, blocks):
                break
    return await asyncio.to_thread(builder.page)


def page_builder(
    query: RowQuery, *, after: Cursor | None, limit: int, values: int = GREATEST, hidden: bool = False
) -> PageBuilder:
    """Return what makes the page of :func:`scan` of the blocks of a view, which begin with those at the cursor."""
    return PageBuilder(
        Selection.of(query.keys),
        limit=limit,
        first_step=query.first,
        last_step=query.last,
        after=after,
        budget=page_budget(limit),
        values=values,
        late=query.late,
        hidden=hidden,
    )


def page_budget(limit: int) -> int:
    """Return the number of rows that are examined for a page of at most ``limit`` rows before it may be short."""
    return max(_BUDGET, 2 * limit)


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
    collector = SeriesCollector(query, samples, origins, every_row=every_row)
    async with source.reading(run_key(run), query.stream, query.first, query.last) as stored:
        rest = await _collect(stored, await load_view(stored, run, query.stream), collector, joined=joined)
    return await asyncio.to_thread(_result, collector, rest)


async def chart(
    source: BlockSource,
    run: RunPath,
    query: RowQuery,
    *,
    samples: int,
    origins: dict[bytes, Origin],
    render: Callable[[dict[tuple[str, bytes], Series]], T],
    known: Collection[str] = (),
) -> tuple[str, T | None]:
    """Return the fingerprint of a run and its joined :func:`series`, None for these if it is one of the known ones.

    ``render`` makes of the series what is returned; it is called in a thread.
    """
    collector = SeriesCollector(query, samples, origins, every_row=False)
    async with source.reading(run_key(run), query.stream, query.first, query.last) as stored:
        view = await load_view(stored, run, query.stream)
        found = await _fingerprint(stored, view, query.stream)
        if found in known:
            return found, None
        rest = await _collect(stored, view, collector, joined=True)
    return found, await asyncio.to_thread(lambda: render(_result(collector, rest)))


def _result(collector: SeriesCollector, rest: Sequence[Callable[[], None]]) -> dict[tuple[str, bytes], Series]:
    for work in rest:
        work()
    return collector.result()


async def _collect(
    source: BlockSource, view: Sequence[RowSource], collector: SeriesCollector, *, joined: bool
) -> Sequence[Callable[[], None]]:
    """Collect the points of a view; return what remains to be done in a thread, since changing threads takes time."""
    query = collector.query
    if joined:
        collector.lines = {writer.bytes: line.bytes for writer, line in lines_of(view).items()}
    blocks_of: BlocksByStep = blocks_by_step
    work: list[Callable[[], None]] = []
    if collector.may_draw:
        outlines = await outlines_by_part(source, view, query.stream, query.first, query.last)
        if collector.can_draw(view, outlines):
            work.append(lambda: collector.draw(collector.start(outlines)))
            blocks_of = recent_by_step
    async for blocks in blocks_of(source, view, query.stream, query.first, query.last):
        work.append(partial(collector.extend, blocks))
        if len(work) > 1:
            await asyncio.to_thread(work.pop(0))
    return work


async def sample(source: BlockSource, run: RunPath, query: RowQuery, *, samples: int) -> RowTable | None:
    """Return at most ``samples`` whole rows by step, among them the first, the last and each numeric key's extremes.

    There are fewer only if the run has fewer, and None if it has none; nothing is chosen at random.
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
    return await asyncio.to_thread(picker.table, samples)


async def fingerprint(source: BlockSource, run: RunPath, stream: Stream) -> str:
    """Return a text that changes whenever the rows of a run's view change."""
    async with source.snapshot():
        return await _fingerprint(source, await load_view(source, run, stream), stream)


async def _fingerprint(source: BlockSource, view: Sequence[RowSource], stream: Stream) -> str:
    return fingerprint_of([(part.facts, await source.newest(part.facts.run, stream)) for part in view])


async def keys(source: BlockSource, run: RunPath, *, stream: Stream) -> list[str]:
    """Return the numeric keys of the latest blocks of a stream, sorted."""
    selection = Selection.of(None, is_numeric=True)
    found: set[str] = set()
    async with source.snapshot():
        async for blocks in source.latest(run_key(run), stream, most=_KEY_BLOCKS):
            found |= await asyncio.to_thread(_keys_of, blocks, selection)
    return sorted(found)


def _keys_of(blocks: Sequence[Block], selection: Selection) -> set[str]:
    return {key_of(column.path) for block in blocks for column in block.payload.decode(selection).columns}
