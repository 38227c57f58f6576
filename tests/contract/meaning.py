"""What an event says, as plain JSON: arrays as lists, enums as their values, bytes as hex, rows as nested dicts."""

from __future__ import annotations

import json
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import events, values
from runstream_schemas.rows import unpack_rows

if TYPE_CHECKING:
    from collections.abc import Mapping


def meaning_of(event: events.Event) -> Any:
    """Return the meaning of an event; equal for two events exactly if they say the same.

    The columns of a block are given as its rows, and beside them as paths and types, in order.
    """
    said = _plain(event)
    said |= {name: value for name, value in said.pop("header").items() if name not in _unused(event)}
    said["topic"] = event.topic.value
    if isinstance(event, events.PlainEvent):
        own = [field.name for field in fields(event) if field.name != "header"]
        said["fields"] = {name: said.pop(name) for name in own}
    if isinstance(event, events.LogEvent):
        said["columns"] = [{"path": list(column.path), "type": column.type.value} for column in event.columns]
        said["rows"] = unpack_rows(event)
    # Through JSON text, so that a NaN is equal to itself and True is not 1.
    return json.loads(values.dump(said))


def _unused(event: events.Event) -> set[str]:
    """Return the fields of the header that events of a class do not use."""
    if isinstance(event, events.LogEvent | events.ChangeEvent):
        return {"order"}
    if isinstance(event, events.ExitEvent):
        return {"reason"}
    return {"seq", "count", "reason"} if isinstance(event, events.HeartbeatEvent) else set()


def canonical(value: Any) -> Any:
    """Return a value that compares as JSON means it: by type, NaN equal to NaN, dicts in any order, tuples as lists."""
    if isinstance(value, dict):
        return "dict", sorted((key, canonical(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return "list", [canonical(item) for item in value]
    return type(value).__name__, repr(value)


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    match value:
        case Enum():
            return value.value
        case bytes():
            return value.hex()
        case np.ndarray():
            return value.tolist()
        case dict():
            return _plain_items(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case str() | int() | float() | None:
            return value
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain_items(items: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(_plain(key)): _plain(item) for key, item in items.items()}
