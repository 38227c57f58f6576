"""Rows as tables."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: What the server adds to the values of a row.
META = ("_step", "_timestamp", "_runtime", "_writer", "_late")

Row = dict[str, Any]


def flat(row: Mapping[str, Any], prefix: str = "") -> Row:
    """Return a nested row with one level, its keys joined with ``.``."""
    found: Row = {}
    for key, value in row.items():
        if isinstance(value, dict) and value and "_type" not in value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def pick(row: Mapping[str, Any], keys: Iterable[str]) -> Row:
    """Return the values of the keys that a row has; a key may name a value in nested dicts by its dotted path."""
    flattened = flat(row)
    found = {key: row[key] if key in row else flattened.get(key, _MISSING) for key in keys}
    return {key: value for key, value in found.items() if value is not _MISSING}


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> Any:
    """Return a pandas DataFrame, ``_step`` first; flattened rows as a list of dicts where pandas is not installed."""
    records = [flat(row) for row in rows]
    if find_spec("pandas") is None:
        return records
    import pandas as pd  # noqa: PLC0415  # optional, and half a second to import

    names = list(columns or dict.fromkeys(key for record in records for key in record))
    first = [name for name in META if name in names]
    order = list(columns) if columns else first + [name for name in names if name not in META]
    return pd.DataFrame.from_records(records, columns=order)


_MISSING = object()
