"""Rows of a run in the order of their arrival, which is that of their offsets and sequence numbers.

Unlike the order by step, it never changes: what arrives later comes after everything that was read. The only exception
are messages that were in quarantine; see :func:`rows_at`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.block_source import BlockSource, load_view
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.paging import GREATEST, HistoryRow
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.view import RowSource
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import LogEvent, Stream
from runstream_schemas.rows import cut, unpack_rows
from runstream_schemas.topics import RunPath

#: Stored bytes that are read at once.
_AT_ONCE = 1024 * 1024


class Place(NamedTuple):
    """A position between two rows: after the row with this offset and sequence number."""

    offset: int
    seq: int


BEGINNING = Place(-1, -1)


@dataclass(frozen=True, slots=True)
class RowSelection:
    """Which rows of a run are read."""

    run: RunPath
    stream: Stream
    keys: Sequence[str] | None = None
    #: Whether to include rows that a later writer or a rewind has replaced.
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ArrivedPage:
    """Some rows, and the place after everything that was examined."""

    rows: list[HistoryRow]
    end: Place


async def rows_after(source: BlockSource, selection: RowSelection, after: Place, *, limit: int) -> ArrivedPage:
    """Return the next rows of a run after a place, without those that it inherits; within a snapshot.

    A page may have fewer rows than ``limit``, even none. There are no more if it ends where it began.
    """
    blocks = await source.earliest(run_key(selection.run), selection.stream, after=after, size=_AT_ONCE)
    if not blocks:
        return ArrivedPage([], after)
    own, *_ = await load_view(source, selection.run, selection.stream)
    return await asyncio.to_thread(_page, blocks, own, selection, after, limit)


async def rows_at(source: BlockSource, selection: RowSelection, offset: int) -> list[HistoryRow]:
    """Return the rows of the message at an offset, which was applied after later ones; within a snapshot."""
    after, rows = Place(offset, -1), list[HistoryRow]()
    while True:
        page = await rows_after(source, selection, after, limit=GREATEST)
        rows += [row for row in page.rows if row.offset == offset]
        if page.end == after or page.end.offset > offset:
            return rows
        after = page.end


async def last_place(source: BlockSource, selection: RowSelection) -> Place:
    """Return the place after the row that arrived last."""
    newest = await source.newest(run_key(selection.run), selection.stream)
    return BEGINNING if newest is None else Place(newest, GREATEST)


def _page(blocks: Sequence[Block], own: RowSource, selection: RowSelection, after: Place, limit: int) -> ArrivedPage:
    rows: list[HistoryRow] = []
    end = after
    columns = Selection.of(selection.keys)
    for block in blocks:
        event = block.payload.decode(columns)
        offsets, seqs = block.offsets(event.count), block.seq + np.arange(event.count)
        first = int(np.count_nonzero((offsets < after.offset) | ((offsets == after.offset) & (seqs <= after.seq))))
        hidden = _hidden(block, own, event, offsets)
        while first < event.count and len(rows) < limit:
            last = min(event.count, first + limit - len(rows))
            found = _rows(block, cut(event, first, last), offsets[first:last], hidden[first:last])
            wanted = [row for row in found if row.values or selection.keys is None]
            rows += [row for row in wanted if selection.hidden or not row.hidden]
            end = Place(int(offsets[last - 1]), int(seqs[last - 1]))
            first = last
        if len(rows) >= limit:
            break
    return ArrivedPage(rows, end)


def _hidden(block: Block, own: RowSource, event: LogEvent, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each row whether the view of its run hides it; a rewind hides rows that arrived before it."""
    hidden = np.zeros(event.count, dtype=np.bool_)
    rewinds = own.cuts.rewinds_within(block.offset, block.final_offset)
    for offset in [block.offset, *rewinds]:
        bounds = own.bounds_of(block.writer, offset)
        step = None if bounds is None else bounds.hidden_from
        here = offsets >= offset
        hidden[here] = False if step is None else event.steps[here] >= step
    return hidden


def _rows(block: Block, event: LogEvent, offsets: NDArray[np.int64], hidden: NDArray[np.bool_]) -> Iterator[HistoryRow]:
    columns = (event.steps.tolist(), event.times.tolist(), event.orders.tolist(), offsets.tolist(), hidden.tolist())
    for step, time, order, offset, is_hidden, values in zip(*columns, unpack_rows(event), strict=True):
        yield HistoryRow(
            step=step,
            time=time,
            order=order,
            offset=offset,
            writer=block.writer,
            # Whether another row has its step depends on rows that arrive later; readers by step mark it.
            late=False,
            values=values,
            hidden=is_hidden,
        )
