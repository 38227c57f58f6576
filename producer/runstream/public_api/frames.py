"""Rows as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

#: The values that the server adds to each row.
META = ("_step", "_timestamp", "_runtime", "_writer", "_late")
#: The same with what only hidden rows have.
FIELDS = (*META, "_hidden")

Row = dict[str, Any]


def flat(row: Mapping[str, Any], prefix: str = "") -> Row:
    """Return a nested row as a flat one, with keys joined by ``.``."""
    found: Row = {}
    for key, value in row.items():
        if isinstance(value, dict) and value and "_type" not in value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def pick(row: Mapping[str, Any], keys: Iterable[str]) -> Row:
    """Return the values of these keys of a row; a dotted path names a value in nested dicts."""
    found = {**flat(row), **row}
    return {key: found[key] for key in keys if key in found}


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Any:
    """Return rows as a pandas DataFrame, ``_step`` first, or as a list of flat dicts without pandas."""
    records = [flat(row) for row in rows]
    if find_spec("pandas") is None:
        return records
    import pandas as pd  # noqa: PLC0415  # optional, and slow to import

    names = dict.fromkeys(key for record in records for key in record)
    order = columns or [*(name for name in META if name in names), *(name for name in names if name not in META)]
    return pd.DataFrame.from_records(records, columns=list(order))
