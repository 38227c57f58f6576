"""Reads the rows of a run: all of them page by page, a sample for a chart, or the last ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runstream_consumers.history.blocks import Block
from runstream_consumers.history.late_rows import Untaken
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.origins import Origin, origin_of
from runstream_consumers.history.paging import GREATEST, Cursor, Page, PageBuilder, Row
from runstream_consumers.history.sampling import Sampler, Series
from runstream_consumers.history.selection import Selection, key_of
from runstream_consumers.history.sources import block_of, load_view
from runstream_consumers.history.store import QUERIES, STREAM_NUMBERS
from runstream_consumers.history.view import Source, lines_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.rows import unpack_rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from numpy.typing import NDArray

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.events import LogEvent
    from runstream_schemas.topics import RunPath

__all__ = ["Cursor", "Origin", "Page", "Row", "Series", "keys", "sample", "scan", "series", "tail"]

#: Blocks fetched at once to begin with; a block has up to half a megabyte. More, when they are small and many.
_FEWEST_BLOCKS = 32
_FETCHED_BYTES = 4 * 1024 * 1024
#: Rows looked at for one page.
_BUDGET = 200_000
_FEWEST_SAMPLES = 4


async def scan(
    connection: Connection,
    run: RunPath,
    *,
    stream: Stream = Stream.HISTORY,
    keys: Sequence[str] | None = None,
    min_step: int | None = None,
    max_step: int | None = None,
    after: Cursor | None = None,
    limit: int = 1000,
    late: bool = True,
    hidden: bool = False,
) -> Page:
    """Return the rows of a run behind ``after``, by (step, offset, order), exactly as they were logged.

    The rows that a fork inherits come before its own at the same step.

    Args:
        connection: Must not be within a transaction that an error has ended.
        run: A run that is not known has no rows.
        stream: Which series of rows.
        keys: Only the values of these keys, and only rows that have at least one of them. A key is the path of a
            column joined by dots, or of a dict, which means all that is in it. None: all values of all rows.
        min_step: Only rows from this step on.
        max_step: Only rows below this step.
        after: The ``next`` of the page before.
        limit: Most rows of the page. It may hold fewer, even none, while there are more pages, when rows that are
            wanted are few and far between.
        late: Also rows below their writer's greatest step, and rows at a step that another one has.
        hidden: Also rows in whose place a resumed or rewound run has logged others, marked as such.
    """
    first = NO_STEP if min_step is None else min_step
    builder = PageBuilder(
        Selection.of(keys),
        limit=limit,
        first_step=first,
        last_step=_last_step(max_step),
        after=after,
        budget=max(_BUDGET, 2 * limit),
        late=late,
        hidden=hidden,
    )
    begin = first if after is None else max(first, after.step)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        sources = await load_view(connection, run, stream)
        async for block in _blocks(connection, sources, stream, begin, max_step):
            if builder.done(block):
                break
            builder.add(block)
    return builder.page()


async def sample(
    connection: Connection,
    run: RunPath,
    *,
    keys: Sequence[str] | None = None,
    samples: int = 500,
    stream: Stream = Stream.HISTORY,
    min_step: int | None = None,
    max_step: int | None = None,
    late: bool = True,
) -> dict[str, Series]:
    """Return the numeric values of keys as series of at most ``samples`` points (4 at least) that keep the extremes.

    Keys and ``late`` mean what they mean for :func:`scan`; a key that names a dict gives a series for each number in
    it, under the key of its own. Booleans count as 0 and 1; integers beyond 2**53 are rounded; keys without numbers are
    left out.
    """
    selection = Selection.of(keys)
    samplers: dict[str, Sampler] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        sources = await load_view(connection, run, stream)
        async for event, wanted in _sampled_blocks(connection, sources, stream, min_step, max_step, late=late):
            for key, steps, times, values in _points(event, wanted, selection):
                samplers.setdefault(key, Sampler(max(samples, _FEWEST_SAMPLES))).add(steps, times, values)
    return {key: sampler.series() for key, sampler in sorted(samplers.items())}


async def series(
    connection: Connection,
    run: RunPath,
    *,
    keys: Sequence[str] | None = None,
    samples: int = 500,
    stream: Stream = Stream.HISTORY,
    min_step: int | None = None,
    max_step: int | None = None,
    late: bool = True,
    joined: bool = False,
    origins: dict[bytes, Origin] | None = None,
) -> dict[tuple[str, bytes], Series]:
    """Return what :func:`sample` does, for each key and writer a series of its own.

    Where they are ``joined``, a writer and those that it continues are one, under the last of them. What shippers
    measured of one training process is one, under that one's writer; ``origins`` is told what they say of it.
    """
    selection = Selection.of(keys)
    samplers: dict[tuple[str, bytes], Sampler] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        sources = await load_view(connection, run, stream)
        lines = {writer.bytes: line.bytes for writer, line in lines_of(sources).items()} if joined else {}
        async for event, wanted in _sampled_blocks(connection, sources, stream, min_step, max_step, late=late):
            line = lines.get(event.writer.id, event.writer.id)
            if stream is Stream.SYSTEM and (origin := origin_of(event)) is not None:
                line = origin.trainer
                if origins is not None:
                    origins[line] = origin
            for key, steps, times, values in _points(event, wanted, selection):
                sampler = samplers.setdefault((key, line), Sampler(max(samples, _FEWEST_SAMPLES)))
                sampler.add(steps, times, values)
    return {place: sampler.series() for place, sampler in sorted(samplers.items())}


async def keys(connection: Connection, run: RunPath, *, stream: Stream) -> list[str]:
    """Return the numeric keys of the latest blocks of a stream, sorted."""
    stored = await connection.fetch(
        QUERIES["latest_blocks"], run_key(run), STREAM_NUMBERS[stream], GREATEST, GREATEST, _FEWEST_BLOCKS
    )
    columns = (column for row in stored for column in Block.of(row).event().columns)
    return sorted({key_of(column.path) for column in columns if column.values is not None})


async def tail(connection: Connection, run: RunPath, *, stream: Stream, rows: int) -> list[Row]:
    """Return the last rows to arrive, by (time, offset, order); ``late`` tells of their own writer's steps only."""
    found: list[Row] = []
    offset, seq = GREATEST, GREATEST
    while len(found) < rows:
        stored = await connection.fetch(
            QUERIES["latest_blocks"], run_key(run), STREAM_NUMBERS[stream], offset, seq, _FEWEST_BLOCKS
        )
        for row in stored:
            found += _rows(Block.of(row))
            offset, seq = row["offset"], row["seq"]
            if len(found) >= rows:
                break
        if len(stored) < _FEWEST_BLOCKS:
            break
    found.sort(key=lambda row: (row.time, row.offset, row.order))
    return found[max(0, len(found) - rows) :]


async def _blocks(
    connection: Connection, sources: Sequence[Source], stream: Stream, first: int, max_step: int | None
) -> AsyncIterator[Block]:
    """Yield the blocks of all sources that may hold rows from a step on, by their least step."""
    ways = [_blocks_of(connection, source, stream, first, max_step) for source in sources]
    waiting = [(block, way) for way in ways if (block := await anext(way, None)) is not None]
    while waiting:
        index = min(range(len(waiting)), key=lambda index: waiting[index][0].least)
        block, way = waiting[index]
        yield block
        following = await anext(way, None)
        waiting[index : index + 1] = [] if following is None else [(following, way)]


async def _blocks_of(
    connection: Connection, source: Source, stream: Stream, first: int, max_step: int | None
) -> AsyncGenerator[Block]:
    # No block is wider than this, so none that begins earlier reaches the first step: the index finds the place.
    begin = max(NO_STEP, first - source.facts.widest)
    last = _last_step(max_step) if source.ends_before is None else min(_last_step(max_step), source.ends_before - 1)
    place = (source.facts.run, STREAM_NUMBERS[stream])
    cursor = await connection.cursor(QUERIES["blocks_from_step"], *place, begin, first, last)
    count = _FEWEST_BLOCKS
    while rows := await cursor.fetch(count):
        for row in rows:
            if (block := block_of(row, source)) is not None:
                yield block
        if sum(len(row["message"]) for row in rows) < _FETCHED_BYTES // 2:
            count *= 2


async def _sampled_blocks(
    connection: Connection,
    sources: Sequence[Source],
    stream: Stream,
    min_step: int | None,
    max_step: int | None,
    *,
    late: bool,
) -> AsyncIterator[tuple[LogEvent, NDArray[np.bool_] | None]]:
    """Yield the blocks that hold rows that are wanted, and which of their rows are; None: all."""
    first, last = NO_STEP if min_step is None else min_step, _last_step(max_step)
    untaken = Untaken()
    async for block in _blocks(connection, sources, stream, first, max_step):
        if not block.is_shown:
            continue
        event = block.event()
        wanted = (event.steps >= first) & (event.steps <= last)
        if (shown := block.shown(event.steps)) is not None:
            wanted &= shown
        if not late:
            for _, settled, good in untaken.add(block, event, wanted):
                if good.any():
                    yield settled, good
        elif wanted.any():
            yield event, None if wanted.all() else wanted
    for _, settled, good in untaken.rest():
        if good.any():
            yield settled, good


def _points(
    event: LogEvent, wanted: NDArray[np.bool_] | None, selection: Selection
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Yield key, steps, times and values of the numeric columns that were asked for."""
    for column in selection.columns(event):
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


def _rows(block: Block) -> list[Row]:
    event = block.event()
    columns = (event.steps.tolist(), event.times.tolist(), event.orders.tolist(), block.late(event).tolist())
    return [
        Row(step=step, time=time, order=order, offset=block.offset, writer=block.writer, late=late, values=values)
        for step, time, order, late, values in zip(*columns, unpack_rows(event), strict=True)
    ]


def _last_step(max_step: int | None) -> int:
    return GREATEST if max_step is None else max(max_step - 1, NO_STEP)
