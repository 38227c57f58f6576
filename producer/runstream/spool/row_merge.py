"""Merging the appends of one row; see docs/spool.md. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def merge(row: dict[Any, Any], values: Mapping[Any, Any]) -> None:
    """Merge values into a row, in place: dicts are merged at every depth, anything else is replaced."""
    pairs = [(row, values)]
    while pairs:
        into, more = pairs.pop()
        for key, value in more.items():
            current = into.get(key)
            if isinstance(current, dict) and isinstance(value, dict):
                pairs.append((current, value))
            else:
                into[key] = value


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested dicts without the keys whose value is None or a dict that holds nothing else."""
    found = {}
    for key, value in values.items():
        kept = without_none(value) if isinstance(value, dict) else value
        if kept is not None and (kept or not isinstance(value, dict)):
            found[key] = kept
    return found
