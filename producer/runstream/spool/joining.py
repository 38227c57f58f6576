"""Joining the appends of one row, as docs/spool.md has it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def merge(row: dict[Any, Any], values: Mapping[Any, Any]) -> None:
    """Join values to a row, in place: dicts are merged at every depth, anything else is replaced."""
    pairs = [(row, values)]
    while pairs:
        into, more = pairs.pop()
        for key, value in more.items():
            current = into.get(key)
            if isinstance(current, dict) and isinstance(value, dict):
                pairs.append((current, value))
            else:
                into[key] = value
