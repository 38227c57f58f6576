"""The content of events as plain JSON: arrays as lists, enums as their values, bytes as hex, rows as nested dicts."""

from __future__ import annotations

import json
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream_schemas import events, values
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Mapping


def meaning_of(event: events.Event) -> Any:
    """Return the content of an event; equal for two events if and only if they have the same content.

    A block has its rows, and the paths and types of its columns in order.
    """
    content = _plain(event)
    content |= {name: value for name, value in content.pop("header").items() if name not in _unused(event)}
    content["topic"] = event.topic.value
    if isinstance(event, events.PlainEvent):
        own = [field.name for field in fields(event) if field.name != "header"]
        content["fields"] = {name: content.pop(name) for name in own}
    if isinstance(event, events.LogEvent):
        content["columns"] = [{"path": list(column.path), "type": column.type.value} for column in event.columns]
        content["rows"] = unpack_rows(event)
    # Through JSON text, so that a NaN equals itself and True differs from 1.
    return json.loads(values.dump(content))


def _unused(event: events.Event) -> set[str]:
    """Return the header fields that events of a class do not use."""
    if isinstance(event, events.LogEvent | events.ChangeEvent):
        return {"order"}
    if isinstance(event, events.ExitEvent):
        return {"reason"}
    return {"seq", "count", "reason"} if isinstance(event, events.HeartbeatEvent) else set()


def canonical(value: Any) -> Any:
    """Return a form that compares values as JSON: by type, NaN equals NaN, key order is ignored, tuples are lists."""
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
        case RunPath() | events.Entry() | events.FileContent():
            return _plain_items(value._asdict())
        case list() | tuple():
            return [_plain(item) for item in value]
        case str() | int() | float() | None:
            return value
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain_items(items: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(_plain(key)): _plain(item) for key, item in items.items()}
