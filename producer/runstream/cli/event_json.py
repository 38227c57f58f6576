"""Events of the topics as JSON objects, for people and scripts that look at the raw stream. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from runstream_schemas import codec, values
from runstream_schemas.events import Entry, Event, LogEvent
from runstream_schemas.rows import unpack_rows
from runstream_schemas.topics import RunPath, Topic


def message_json(topic: Topic, message: bytes | None) -> dict[str, Any]:
    """Return the event of a message, or the problem of one that cannot be decoded with its first bytes."""
    try:
        return {"event": _event_json(codec.decode(topic, message or b""))}
    except Exception as error:  # noqa: BLE001 - whatever a message holds, the next one is shown
        return {"problem": f"{type(error).__name__}: {error}", "bytes": (message or b"")[:64].hex()}


def _event_json(event: Event) -> dict[str, Any]:
    header = _json(event.header)
    body = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "header"}
    if isinstance(event, LogEvent):
        rows = zip(event.steps.tolist(), event.times.tolist(), event.orders.tolist(), unpack_rows(event), strict=False)
        body = {name: body[name] for name in ("stream", "branch")}
        body["rows"] = [{"step": step, "time": time, "order": order, "values": row} for step, time, order, row in rows]
    return {**header, **{name: value if name == "rows" else _json(value) for name, value in body.items()}}


def _json(value: Any) -> Any:
    convert = next((convert for kind, convert in _CONVERSIONS if isinstance(value, kind)), None)
    if convert is not None:
        return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
    return value


def _entry(entry: Entry) -> dict[str, Any]:
    place = {"op": entry.op.value, "scope": entry.scope.value, "path": list(entry.path)}
    return {**place, "value": values.load(entry.value)}


_CONVERSIONS: Sequence[tuple[Any, Callable[[Any], Any]]] = (
    (Enum, lambda value: value.value),
    (bytes, bytes.hex),
    (RunPath, str),
    (np.ndarray, lambda value: value.tolist()),
    (Entry, _entry),
    (Mapping, lambda value: {str(_json(key)): _json(item) for key, item in value.items()}),
    (list | tuple, lambda value: [_json(item) for item in value]),
)
