"""Values that were too large for a message: references to files of the run, and what these hold."""

from __future__ import annotations

import tempfile
from typing import Any

from runstream.public_api.files import file_named
from runstream.server.api_connection import ApiConnection
from runstream_schemas import values

#: The key of a row whose file holds further values of the row.
MORE = "[more values]"


def resolved(connection: ApiConnection, address: str, value: Any) -> Any:
    """Return a value in which the references to files are replaced with the values that these hold.

    Raises:
        MissingFileError: A file is not stored (yet).
        CommError: The server does not answer.
    """
    if isinstance(value, list):
        return [resolved(connection, address, item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("_type") == "value-file" and isinstance(value.get("path"), str):
        return _read(connection, address, value["path"])
    found = {key: resolved(connection, address, item) for key, item in value.items()}
    if isinstance(more := found.get(MORE), dict):
        del found[MORE]
        _merge(found, more)
    return found


def _read(connection: ApiConnection, address: str, path: str) -> Any:
    with tempfile.TemporaryDirectory() as folder, file_named(connection, address, path).download(folder) as opened:
        data = opened.buffer.read().decode()
    return values.load(data) if path.endswith(".json") else data


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
