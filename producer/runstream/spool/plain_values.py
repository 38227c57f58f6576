"""Conversion of decoded spool payloads to plain values: those that an event can contain."""

from __future__ import annotations

import datetime as dt
import zlib
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
        return note("nested too deep")
    if isinstance(value, dict):
        return {_key(key, limits): plain(item, limits, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, limits, depth - 1) for item in value]
    return shortened(_scalar_text(value), limits.string_length)


def note(problem: str) -> str:
    """Return what is recorded in place of a value."""
    return f"[not recorded: {problem}]"


def is_note(value: Any) -> bool:
    """Return whether a value is such a note."""
    return isinstance(value, str) and value.startswith(note("")[:-1])


def shortened(text: str, length: int) -> str:
    """Return the text; if it is longer than ``length`` characters, return its beginning followed by a note."""
    if len(text) <= length:
        return text
    note = f"... ({len(text)} characters, shortened)"
    return text[: max(length - len(note), 0)] + note


def fitted_key(key: str, length: int) -> str:
    """Return a key of at most so many characters; a longer one is cut and ends with its checksum."""
    if len(key) <= length:
        return key
    end = f"…{zlib.crc32(key.encode(errors='backslashreplace')):08x}"
    return key[: length - len(end)] + end


def _key(key: Any, limits: Limits) -> str:
    return fitted_key(key if isinstance(key, str) else _scalar_text(key), limits.key_length)


def _scalar_text(value: Any) -> str:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode(errors="backslashreplace")
    return str(value)
