"""The tables of the history: one row per block, and what each writer has logged so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any
from uuid import UUID

from runstream_consumers.history.model import WriterSteps
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import load_queries
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

QUERIES = load_queries(files("runstream_consumers.history") / "sql" / "queries.sql")

#: The numbers of streams in the tables; never change one.
STREAM_NUMBERS = {Stream.UNKNOWN: 0, Stream.HISTORY: 1, Stream.SYSTEM: 2, Stream.CONSOLE: 3}

#: A writer in a stream: run key, number of the stream, writer key.
WriterKey = tuple[UUID, int, UUID]

#: The columns of ``block``.
BLOCK_COLUMNS = (
    "run",
    "stream",
    "offset",
    "seq",
    "partition",
    "writer",
    "rows",
    "min_step",
    "max_step",
    "min_time",
    "max_time",
    "append_time",
    "greatest",
    "late",
    "message",
)


async def add_runs(connection: Connection, runs: Mapping[UUID, RunPath]) -> None:
    """Store the names of runs."""
    if runs:
        paths = runs.values()
        await connection.execute(
            QUERIES["add_runs"],
            list(runs),
            [path.entity for path in paths],
            [path.project for path in paths],
            [path.run_id for path in paths],
        )


async def load_writers(connection: Connection, keys: Sequence[WriterKey]) -> dict[WriterKey, WriterSteps]:
    """Return what writers have logged, for those that have logged before."""
    rows = await connection.fetch(QUERIES["load_writers"], *_columns(keys, 3))
    return {(run, stream, writer): WriterSteps(*steps) for run, stream, writer, *steps in rows}


async def save_writers(connection: Connection, writers: Mapping[WriterKey, WriterSteps]) -> None:
    """Write what writers have logged."""
    if writers:
        rows = [(*key, *steps.columns()) for key, steps in writers.items()]
        await connection.execute(QUERIES["save_writers"], *_columns(rows, 10))


async def add_lineage(connection: Connection, pairs: Sequence[tuple[UUID, UUID, UUID]]) -> None:
    """Store which writers continue which: run key, writer key, key of the continued writer."""
    if pairs:
        await connection.execute(QUERIES["add_lineage"], *_columns(pairs, 3))


async def add_branches(connection: Connection, branches: Sequence[tuple[Any, ...]]) -> None:
    """Write forks and rewinds, with values in the order of the statement."""
    if branches:
        await connection.executemany(QUERIES["add_branches"], branches)


async def add_blocks(connection: Connection, blocks: Iterable[tuple[Any, ...]]) -> None:
    """Write blocks, with values in the order of BLOCK_COLUMNS."""
    await connection.copy_records_to_table("block", records=blocks, columns=BLOCK_COLUMNS)


async def add_markers(connection: Connection, markers: Sequence[tuple[Any, ...]]) -> None:
    """Write markers of records that are not rows, with values in the order of the statement."""
    if markers:
        await connection.executemany(QUERIES["add_markers"], markers)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(width)]
