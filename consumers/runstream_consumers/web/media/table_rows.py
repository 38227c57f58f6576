"""Pages of the rows of a table file, which is read in pieces and may be larger than the memory."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from runstream_schemas.stored.tables import TableReader

#: Rows and bytes of a table that are read for a page; further ones are in the file alone.
MOST_ROWS = 100_000
MOST_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePage:
    """Some rows of a table, and how many rows were read to find them."""

    columns: list[str]
    rows: list[list[Any]]
    #: Rows that can be reached by paging, as far as the table was read.
    counted: int
    #: Whether the whole table was read.
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableQuery:
    """Which rows of a table are wanted; ``order`` is the number of a column."""

    offset: int = 0
    limit: int = 20
    order: int | None = None
    descending: bool = False


async def read_page(files: Sequence[AsyncGenerator[bytes]], query: TableQuery) -> TablePage:
    """Return the rows of a table, which is in one file or more; raises InvalidTable."""
    kept: list[list[Any]] = []
    columns: list[str] = []
    counted = size = 0
    needed = math.inf if query.order is not None else query.offset + query.limit + 1
    whole = True
    for chunks in files:
        reader = TableReader()
        ended = True
        async with aclosing(chunks):
            async for chunk in chunks:
                size += len(chunk)
                rows = await asyncio.to_thread(reader.feed, chunk)
                kept, counted = _added(kept, rows, counted, query)
                if counted > min(needed, MOST_ROWS) or size > MOST_BYTES:
                    ended = whole = False
                    break
        if ended:
            kept, counted = _added(kept, reader.end(), counted, query)
        columns = [str(name) for name in reader.columns] or columns
        if not whole:
            break
    chosen = kept if query.order is None else _ordered(kept, query)
    first = max((len(row) for row in chosen), default=0)
    columns += [str(number) for number in range(len(columns), first)]
    return TablePage(columns=columns, rows=chosen, counted=min(counted, MOST_ROWS), whole=whole)


def _added(kept: list[list[Any]], rows: list[Any], counted: int, query: TableQuery) -> tuple[list[list[Any]], int]:
    """Return the rows that may be on the page, with further ones, and how many there were."""
    rows = [row if isinstance(row, list) else [row] for row in rows[: MOST_ROWS - counted + 1]]
    if query.order is None:
        first, end = query.offset - counted, query.offset + query.limit - counted
        kept += rows[max(first, 0) : max(end, 0)]
    else:
        kept += rows
    return kept, counted + len(rows)


def _ordered(rows: list[list[Any]], query: TableQuery) -> list[list[Any]]:
    order = query.order or 0
    known = [row for row in rows[:MOST_ROWS] if order < len(row) and row[order] is not None]
    rest = [row for row in rows[:MOST_ROWS] if not (order < len(row) and row[order] is not None)]
    end = query.offset + query.limit
    choose = heapq.nlargest if query.descending else heapq.nsmallest
    first = choose(end, known, key=lambda row: _place(row[order]))
    return (first + rest)[query.offset : end]


def _place(value: Any) -> tuple[int, Any]:
    """Return a key by which any two cells can be compared: numbers, then texts, then all others."""
    if isinstance(value, bool | int | float):
        return (1, 0) if isinstance(value, float) and math.isnan(value) else (0, value)
    return (2, value) if isinstance(value, str) else (3, str(value))
