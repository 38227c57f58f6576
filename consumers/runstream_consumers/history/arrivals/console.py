"""Read the console lines of a run, the latest or the earliest first.

Lines come in the order of their arrival: a step of this stream is a position in one writer's file, and says nothing
about other writers. A line that ends with a carriage return is the state of a progress bar while it was running: the
next line of the same source replaces it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple

from runstream_consumers.history.arrivals.rows import BEGINNING, ArrivedPage, Place, RowSelection, rows_after
from runstream_consumers.history.block_source import BlockSource
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.paging import GREATEST, HistoryRow
from runstream_consumers.history.selection import EVERY_COLUMN
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath

#: Rows that are examined for one page.
_BUDGET = 100_000


class ConsoleCursor(NamedTuple):
    """A position between two lines: after the first ``rows`` rows of a block."""

    offset: int
    seq: int
    rows: int


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """Some lines, oldest first, and the cursor of the page before; None if there are no earlier lines."""

    lines: list[HistoryRow]
    earlier: ConsoleCursor | None


async def lines_before(
    source: BlockSource,
    run: RunPath,
    *,
    limit: int,
    before: ConsoleCursor | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> ConsolePage:
    """Return the last lines before a cursor whose text is wanted, by (time, offset, order).

    A page may hold fewer lines than ``limit``, even none, while there are earlier ones, if wanted lines are rare.
    """
    found: list[HistoryRow] = []
    sources: set[object] = set()
    budget = _BUDGET
    earlier: ConsoleCursor | None = None
    end = None if before is None else (before.offset, before.seq + 1)
    async for blocks in source.latest(run_key(run), Stream.CONSOLE, before=end):
        for block in blocks:
            rows = await asyncio.to_thread(_rows, block)
            if before is not None and (block.offset, block.seq) == before[:2]:
                rows = rows[: before.rows]
            budget -= len(rows)
            while rows and len(found) < limit:
                row = rows.pop()
                if not _is_replaced(row, sources) and (wanted is None or wanted(text_of(row))):
                    found.append(row)
            earlier = ConsoleCursor(block.offset, block.seq, len(rows))
            if rows or len(found) >= limit or budget <= 0:
                return ConsolePage(_sorted(found), earlier)
    return ConsolePage(_sorted(found), None)


async def lines_after(source: BlockSource, run: RunPath, place: Place) -> ArrivedPage:
    """Return the next lines after a place, as many as are read at once."""
    return await rows_after(source, RowSelection(run, Stream.CONSOLE, hidden=True), place, limit=GREATEST)


async def last_place(source: BlockSource, run: RunPath) -> tuple[int, int] | None:
    """Return the offset and the sequence number of the block that arrived last; None if there is none."""
    async for blocks in source.latest(run_key(run), Stream.CONSOLE, most=1):
        return blocks[-1].offset, blocks[-1].seq
    return None


async def parts(
    source: Callable[[], AbstractAsyncContextManager[BlockSource]], run: RunPath
) -> AsyncIterator[list[HistoryRow]]:
    """Yield all lines in parts of bounded size, in the order of their arrival; ``source`` is opened for each part."""
    place = BEGINNING
    while True:
        async with source() as opened:
            part = await lines_after(opened, run, place)
        if part.end == place:
            return
        yield part.rows
        place = part.end


def text_of(row: HistoryRow) -> str:
    """Return the text of a line."""
    return str(row.values.get("text", ""))


def source_of(row: HistoryRow) -> object:
    """Return what identifies the program and the stream that a line was written to."""
    return row.writer, str(row.values.get("label")), str(row.values.get("stream"))


def _is_replaced(row: HistoryRow, later: set[object]) -> bool:
    """Return whether a line was replaced by a later one; lines are passed latest first."""
    source = source_of(row)
    if text_of(row).endswith("\r") and source in later:
        return True
    later.add(source)
    return False


def _sorted(rows: Sequence[HistoryRow]) -> list[HistoryRow]:
    return sorted(rows, key=lambda row: (row.time, row.offset, row.order))


def _rows(block: Block) -> list[HistoryRow]:
    event = block.payload.decode(EVERY_COLUMN)
    columns = (event.steps.tolist(), event.times.tolist(), event.orders.tolist(), block.late(event).tolist())
    return [
        HistoryRow(
            step=step, time=time, order=order, offset=block.offset, writer=block.writer, late=late, values=values
        )
        for step, time, order, late, values in zip(*columns, unpack_rows(event), strict=True)
    ]
