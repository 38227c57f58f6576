"""Conversion of decoded spool payloads to plain values: those that an event can contain."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.limits import Limits

_PLAIN = (float, int, bool, type(None))


def plain_row(row: Mapping[Any, Any], limits: Limits) -> dict[str, Any]:
    """Return a row of dicts with string keys, lists, strings, numbers, bools and None, within the limits.

    Strings that are too long are shortened, with a note appended. Values nested too deeply are replaced with a note.
    """
    return {_key(key, limits): plain(value, limits, limits.depth - 1) for key, value in row.items()}


def plain(value: Any, limits: Limits, depth: int) -> Any:
    """Convert one value like :func:`plain_row`; it may be nested at most ``depth`` more levels."""
    if isinstance(value, str):
        return shortened(value, limits.string_length)
    if type(value) in _PLAIN:
        return value
    if depth <= 0:
        return "... (nested too deep to be kept)"
    if isinstance(value, dict):
        return {_key(key, limits): plain(item, limits, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, limits, depth - 1) for item in value]
    return shortened(_scalar_text(value), limits.string_length)


def shortened(text: str, length: int) -> str:
    """Return the text; if it is longer than ``length`` characters, return its beginning followed by a note."""
    if len(text) <= length:
        return text
    note = f"... ({len(text)} characters, shortened)"
    return text[: max(length - len(note), 0)] + note


def _key(key: Any, limits: Limits) -> str:
    return shortened(key if isinstance(key, str) else _scalar_text(key), limits.key_length)


def _scalar_text(value: Any) -> str:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode(errors="backslashreplace")
    return str(value)
