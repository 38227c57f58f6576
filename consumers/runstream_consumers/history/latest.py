"""The end of a run's rows, for processes that resume or branch the run: the last step, and the last values."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.block_source import BlockSource, blocks_backwards, load_view
from runstream_consumers.history.blocks import Block
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.selection import EVERY_COLUMN, NO_COLUMN, key_of
from runstream_schemas import values
from runstream_schemas.events import Column, ColumnType, LogEvent, Stream
from runstream_schemas.topics import RunPath

#: Number of rows examined for last values; a key that none of them has is omitted.
_BUDGET = 200_000

Path = tuple[str, ...]
#: Position of a value: step, rank of the run, offset, order.
_Position = tuple[int, int, int, int]
#: The last value of each key so far.
_LastValues = dict[Path, tuple[_Position, Any]]


async def last_step(source: BlockSource, run: RunPath) -> int | None:
    """Return the greatest step of the rows that a run's view shows, inherited ones included; None if it has no rows."""
    greatest: int | None = None
    async with source.snapshot():
        view = await load_view(source, run, Stream.HISTORY)
        async for blocks in blocks_backwards(source, view, Stream.HISTORY):
            for block in blocks:
                if greatest is not None and block.last_step <= greatest:
                    return greatest
                steps = await asyncio.to_thread(_shown_steps, block)
                if len(steps):
                    greatest = max(int(steps.max()), int(steps.max()) if greatest is None else greatest)
    return greatest


async def last_values(source: BlockSource, run: RunPath, *, step: int) -> list[tuple[Path, Any]]:
    """Return the last value of each key in the rows of a run's view up to a step: path and value, oldest first.

    Examines the last 200,000 rows; keys that were not logged in them are omitted.
    """
    found: _LastValues = {}
    budget = _BUDGET
    async with source.snapshot():
        view = await load_view(source, run, Stream.HISTORY)
        async for blocks in blocks_backwards(source, view, Stream.HISTORY, step):
            budget = await asyncio.to_thread(_update, found, blocks, step, budget)
            if budget <= 0:
                break
    return [(path, value) for path, (_, value) in sorted(found.items(), key=lambda item: item[1][0])]


async def branched_keys(source: BlockSource, run: RunPath) -> list[str]:
    """Return the numeric keys in the rows of a forked or rewound run, which its own summary may not contain.

    Empty for other runs. Examines as many rows as :func:`last_values`.
    """
    own, *_ = await load_view(source, run, Stream.HISTORY)
    if not own.facts.branches:
        return []
    found = await last_values(source, run, step=GREATEST)
    return sorted({key_of(path) for path, value in found if isinstance(value, int | float)})


def _shown_steps(block: Block) -> NDArray[np.int64]:
    steps = block.payload.decode(NO_COLUMN).steps
    shown = block.shown(steps)
    return steps if shown is None else steps[shown]


def _update(found: _LastValues, blocks: Sequence[Block], step: int, budget: int) -> int:
    """Update the last values by blocks while the budget lasts; return what is left of it."""
    for block in blocks:
        if budget <= 0:
            break
        event = block.payload.decode(EVERY_COLUMN)
        budget -= event.count
        _update_by_block(found, block, event, step)
    return budget


def _update_by_block(found: _LastValues, block: Block, event: LogEvent, step: int) -> None:
    wanted = event.steps <= step
    if (shown := block.shown(event.steps)) is not None:
        wanted &= shown
    offsets = block.offsets(event.count)
    for column in event.columns:
        index = None if column.type is ColumnType.NULL else _last_index(column, event.steps, wanted)
        if index is None:
            continue
        row = index if column.rows is None else int(column.rows[index])
        position = (int(event.steps[row]), block.rank, int(offsets[row]), int(event.orders[row]))
        if column.path not in found or found[column.path][0] < position:
            found[column.path] = (position, _value(column, index))


def _last_index(column: Column, steps: NDArray[np.int64], wanted: NDArray[np.bool_]) -> int | None:
    """Return the index in a column of its value at the greatest wanted step; of several, the last one."""
    of_column = steps if column.rows is None else steps[column.rows]
    good = np.flatnonzero(wanted if column.rows is None else wanted[column.rows])
    if not len(good):
        return None
    return int(good[np.flatnonzero(of_column[good] == of_column[good].max())[-1]])


def _value(column: Column, index: int) -> Any:
    return values.load(column.texts[index]) if column.values is None else column.values[index].item()
