"""Reads the files of runs."""

from __future__ import annotations

from collections.abc import Sequence

from runstream_consumers.files.model import FileRow
from runstream_consumers.files.store import QUERIES
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.topics import RunPath


async def of_run(
    connection: Connection,
    run: RunPath,
    *,
    names: Sequence[str] | None = None,
    pattern: str | None = None,
    limit: int,
    after: str = "",
) -> list[FileRow]:
    """Return the files of a run after a name, by name, without deleted ones.

    ``names`` are the only ones to return, ``pattern`` is one of SQL's LIKE.
    """
    found = await connection.fetch(QUERIES["of_run"], run_key(run), after, names, pattern, limit)
    return [FileRow(**row) for row in found]


async def one(connection: Connection, run: RunPath, path: str) -> FileRow | None:
    """Return a file; None if nothing is known of it."""
    row = await connection.fetchrow(QUERIES["one"], run_key(run), path)
    return None if row is None else FileRow(**row)
