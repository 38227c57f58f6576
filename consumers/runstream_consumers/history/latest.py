"""The end of a run's rows, for whoever carries the run on or branches off: the last step, and the last values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.selection import key_of
from runstream_consumers.history.sources import block_of, load_view
from runstream_consumers.history.store import QUERIES, STREAM_NUMBERS
from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from numpy.typing import NDArray

    from runstream_consumers.history.blocks import Block
    from runstream_consumers.history.view import Source
    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.events import LogEvent
    from runstream_schemas.topics import RunPath

#: Blocks fetched at once.
_BLOCKS = 32
#: Rows looked at for last values; a key that none of them has is left out.
_BUDGET = 200_000

Path = tuple[str, ...]
#: Where a value was logged: step, rank of the run, offset, order.
_Place = tuple[int, int, int, int]


async def last_step(connection: Connection, run: RunPath) -> int | None:
    """Return the greatest step of the rows that the view of a run shows, inherited ones included; None: no rows."""
    greatest: int | None = None
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for block, highest in _blocks_from_the_end(
            connection, await load_view(connection, run, Stream.HISTORY), GREATEST
        ):
            if greatest is not None and highest <= greatest:
                break
            event = block.event()
            shown = block.shown(event.steps)
            steps = event.steps if shown is None else event.steps[shown]
            if len(steps):
                greatest = int(steps.max()) if greatest is None else max(greatest, int(steps.max()))
    return greatest


async def last_values(connection: Connection, run: RunPath, *, step: int) -> list[tuple[Path, Any]]:
    """Return the last value of each key in the rows of a view up to a step: path and value, oldest first.

    Looks at so many rows before the step, and no further: a key that was not logged for 200,000 rows is left out.
    """
    found: dict[Path, tuple[_Place, Any]] = {}
    budget = _BUDGET
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        sources = await load_view(connection, run, Stream.HISTORY)
        async for block, _ in _blocks_from_the_end(connection, sources, step):
            if budget <= 0:
                break
            event = block.event()
            budget -= event.count
            _take_last(found, block, event, step)
    return [(path, value) for path, (_, value) in sorted(found.items(), key=lambda item: item[1][0])]


async def branched_keys(connection: Connection, run: RunPath) -> list[str]:
    """Return the numeric keys in the rows of a run that was forked or rewound, which its own summary may not know.

    None for any other run. Looks at as many rows as :func:`last_values` does.
    """
    own, *_ = await load_view(connection, run, Stream.HISTORY)
    if not own.facts.branches:
        return []
    found = await last_values(connection, run, step=GREATEST)
    return sorted({key_of(path) for path, value in found if isinstance(value, int | float)})


def _take_last(found: dict[Path, tuple[_Place, Any]], block: Block, event: LogEvent, step: int) -> None:
    wanted = event.steps <= step
    if (shown := block.shown(event.steps)) is not None:
        wanted &= shown
    for column in event.columns:
        index = None if column.type is ColumnType.NULL else _last_of(column, event.steps, wanted)
        if index is None:
            continue
        row = index if column.rows is None else int(column.rows[index])
        place = (int(event.steps[row]), block.rank, block.offset, int(event.orders[row]))
        if column.path not in found or found[column.path][0] < place:
            found[column.path] = (place, _value(column, index))


def _last_of(column: Column, steps: NDArray[np.int64], wanted: NDArray[np.bool_]) -> int | None:
    """Return the index in a column of its value at the greatest step that is wanted; of several the last."""
    of_column = steps if column.rows is None else steps[column.rows]
    good = np.flatnonzero(wanted if column.rows is None else wanted[column.rows])
    if not len(good):
        return None
    return int(good[np.flatnonzero(of_column[good] == of_column[good].max())[-1]])


def _value(column: Column, index: int) -> Any:
    return values.load(column.texts[index]) if column.values is None else column.values[index].item()


async def _blocks_from_the_end(
    connection: Connection, sources: Sequence[Source], last: int
) -> AsyncIterator[tuple[Block, int]]:
    """Yield the blocks that show rows up to a step, with their greatest step, by that from the greatest down."""
    ways = [_blocks_of(connection, source, last) for source in sources]
    waiting = [(found, way) for way in ways if (found := await anext(way, None)) is not None]
    while waiting:
        index = max(range(len(waiting)), key=lambda index: waiting[index][0][1])
        found, way = waiting[index]
        yield found
        following = await anext(way, None)
        waiting[index : index + 1] = [] if following is None else [(following, way)]


async def _blocks_of(connection: Connection, source: Source, last: int) -> AsyncGenerator[tuple[Block, int]]:
    last = last if source.ends_before is None else min(last, source.ends_before - 1)
    place = (source.facts.run, STREAM_NUMBERS[Stream.HISTORY])
    cursor = await connection.cursor(QUERIES["blocks_to_step"], *place, last)
    while rows := await cursor.fetch(_BLOCKS):
        for row in rows:
            block = block_of(row, source)
            if block is not None and block.is_shown:
                yield block, min(row["max_step"], last)
