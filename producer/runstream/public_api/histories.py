"""The histories of several runs in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from runstream.public_api.frames import flat

_FORMATS = ("default", "pandas", "polars", "arrow")
_LIBRARIES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}


def combined(histories: Iterable[tuple[str, Sequence[Mapping[str, Any]]]], into: str) -> Any:
    """Return the rows of runs, given with their ids, in one of the formats of ``Runs.histories``."""
    if into not in _FORMATS:
        raise ValueError(f"Invalid format {into!r}: expected one of {', '.join(_FORMATS)}")
    library = None if into == "default" else _library(into)
    rows = [{**row, "run_id": run_id} for run_id, found in histories for row in found]
    if library is None:
        return rows
    columns = columns_of([flat(row) for row in rows])
    if into == "pandas":
        return library.DataFrame(columns)
    if into == "polars":
        return library.DataFrame(columns, strict=False)
    return library.table({name: _arrow_values(library, items) for name, items in columns.items()})


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns of rows, sorted by name, with None where a row has no value."""
    names = sorted({name for row in rows for name in row})
    return {name: [row.get(name) for row in rows] for name in names}


def _library(into: str) -> Any:
    name = _LIBRARIES[into]
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"format={into!r} needs {name}, which is not installed: pip install {name}") from error


def _arrow_values(library: Any, items: list[Any]) -> Any:
    """Return a column; values of several types, which Arrow does not have, as texts."""
    try:
        return library.array(items)
    except (library.ArrowInvalid, library.ArrowTypeError):
        return library.array([None if item is None else str(item) for item in items])
