"""Tables that a run has logged, read from its files; the increments of a table are joined."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runstream.artifacts.content import read_description, to_object
from runstream.public_api.files import file_named
from runstream.server.api_connection import ApiConnection
from runstream_schemas.stored.tables import increment_path

_WHOLE, _INCREMENTAL = "table-file", "incremental-table-file"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of a run, as the entry of an artifact with the same path."""

    files: _Entries
    path: str

    def download(self) -> str:
        """Download the file, unless it is there; return its local path."""
        files = self.files
        file_named(files.connection, files.address, self.path).download(files.root, exist_ok=True).close()
        return os.fspath(Path(files.root, self.path))


@dataclass(frozen=True, slots=True)
class _Entries:
    """The files of a run, as far as tables and media are read from them as from an artifact."""

    connection: ApiConnection
    address: str
    root: str | os.PathLike[str]

    def get_entry(self, name: str) -> _Entry:
        """Return the file with a path."""
        return _Entry(self, name)


def logged_table(connection: ApiConnection, address: str, value: Any, root: str | os.PathLike[str]) -> Any:
    """Return the :class:`runstream.Table` that a value of a row or the summary names; its files go to a folder.

    Raises:
        ValueError: The value is not that of a table, or a file is not that of one.
        MissingFileError: A file is not stored (yet).
        CommError: The server does not answer.
    """
    kind = value.get("_type") if isinstance(value, Mapping) else None
    if kind not in {_WHOLE, _INCREMENTAL} or not isinstance(value.get("path"), str):
        raise ValueError(f"Invalid table {value!r:.200}: expected what a row or the summary holds of a logged Table")
    entries, paths = _Entries(connection, address, root), [value["path"]]
    if kind == _INCREMENTAL:
        paths = [increment_path(value["path"], number) for number in range(int(value["increment_num"]) + 1)]
    rows: list[Any] = []
    description: dict[str, Any] = {}
    for path in paths:
        description = read_description("table", Path(entries.get_entry(path).download()))
        rows += description["data"]
    description |= {"data": rows, "log_mode": value.get("log_mode", "IMMUTABLE")}
    return to_object("table", description, entries)
