"""Plain values: what a spool payload may decode to, made into what the contract can say."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream_schemas.limits import Limits

_PLAIN = (float, int, bool, type(None))


def plain_row(row: Mapping[Any, Any], limits: Limits) -> dict[str, Any]:
    """Return a row of dicts with text keys, lists, text, numbers, bools and None, within the limits.

    What is too long is shortened, what is nested too deep becomes a note, and both say so in the value.
    """
    return {_key(key, limits): plain(value, limits, limits.depth - 1) for key, value in row.items()}


def plain(value: Any, limits: Limits, depth: int) -> Any:
    """Return a value as :func:`plain_row` does, nested at most ``depth`` levels more."""
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
    """Return the text, or its beginning and a note where it is longer than ``length`` characters."""
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
