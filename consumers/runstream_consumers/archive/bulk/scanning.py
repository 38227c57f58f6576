"""Pages of a view for bulk reads: of stretches of the archive while it consists of them, or else of rows in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from runstream_consumers.archive.bulk.stretches import StretchBuilder
from runstream_consumers.history.block_source import BlockSource, blocks_by_step, load_view
from runstream_consumers.history.paging import GREATEST, Page
from runstream_consumers.history.reader import PAGE_BYTES, page_budget, page_builder
from runstream_consumers.history.selection import Selection
from runstream_consumers.runtime.postgres.run_key import run_key

if TYPE_CHECKING:
    from runstream_consumers.archive.bulk.page import BulkPage
    from runstream_consumers.history.blocks import Block
    from runstream_consumers.history.series.query import RowQuery
    from runstream_consumers.history.tables.row_table import Cursor
    from runstream_schemas.topics import RunPath


async def scan_in_bulk(
    source: BlockSource,
    run: RunPath,
    query: RowQuery,
    *,
    after: Cursor | None = None,
    limit: int,
    values: int = GREATEST,
    with_times: bool = True,
) -> Page | BulkPage:
    """Return the rows of a run after a cursor, as ``scan`` does, as a BulkPage while they are archived in order.

    A page ends where they no longer are; the next one begins there.
    """
    begin = query.first if after is None else max(query.first, after.step)
    found = StretchBuilder(first=query.first, last=query.last, after=after, rows=page_budget(limit))
    async with source.reading(run_key(run), query.stream, begin, query.last, size=PAGE_BYTES) as stored:
        view = await load_view(stored, run, query.stream)
        stream = blocks_by_step(stored, view, query.stream, begin, query.last, rows=limit)
        held = []
        async for blocks in stream:
            held.append(blocks)
            if await asyncio.to_thread(found.extend, blocks):
                break
        if stretches := found.stretches():
            # Imports pyarrow, as did what made the blocks.
            from runstream_consumers.archive.bulk.page_reader import PageReader  # noqa: PLC0415

            reader = PageReader(selection=Selection.of(query.keys), limit=limit, values=values, with_times=with_times)
            if (page := await asyncio.to_thread(reader.read, stretches, found.end)) is not None:
                return page
        builder = page_builder(query, after=after, limit=limit, values=values)
        async for blocks in _continued(held, stream):
            if await asyncio.to_thread(builder.extend, blocks):
                break
    return await asyncio.to_thread(builder.page)


async def _continued(
    held: Sequence[Sequence[Block]], stream: AsyncIterator[Sequence[Block]]
) -> AsyncIterator[Sequence[Block]]:
    for blocks in held:
        yield blocks
    async for blocks in stream:
        yield blocks
