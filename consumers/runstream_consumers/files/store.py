"""Writes the table of files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from importlib.resources import files
from operator import attrgetter

from runstream_consumers.files.model import FileKey, FileRow, fold
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries

QUERIES = load_queries(files("runstream_consumers.files") / "queries.sql")

_COLUMNS = attrgetter(*(field.name for field in fields(FileRow)))


async def add(connection: Connection, new: Iterable[FileRow]) -> None:
    """Merge what events say into the stored rows; each row is written once."""
    rows: dict[FileKey, FileRow] = {}
    for row in new:
        fold(rows, row)
    if rows:
        for found in await connection.fetch(QUERIES["load"], *columns_of(rows)):
            fold(rows, FileRow(**found))
        await connection.execute(QUERIES["save"], *columns_of(_COLUMNS(rows[key]) for key in sorted(rows)))
