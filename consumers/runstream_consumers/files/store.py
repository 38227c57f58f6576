"""Writes the table of files."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from runstream_consumers.files.model import FileKey, FileRow, fold
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries

QUERIES = load_queries(files("runstream_consumers.files") / "queries.sql")


async def add(connection: Connection, new: Iterable[FileRow]) -> None:
    """Merge what events say into the stored rows, in the transaction of the caller."""
    rows: dict[FileKey, FileRow] = {}
    for row in new:
        fold(rows, row)
    if not rows:
        return
    status = await connection.execute(QUERIES["insert"], *columns_of(rows[key] for key in sorted(rows)))
    if status == f"INSERT 0 {len(rows)}":
        return  # all are new, as most are
    for found in await connection.fetch(QUERIES["load"], *columns_of(rows)):
        fold(rows, FileRow(**found))
    await connection.execute(QUERIES["update"], *columns_of(rows[key] for key in sorted(rows)))
