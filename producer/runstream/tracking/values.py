"""What may be logged, and what becomes of values that msgpack has no word for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from runstream.exceptions import DataError
from runstream_schemas.limits import DEFAULT_LIMITS

#: Keys that a row has of itself; a caller's value under one of them is left out.
RESERVED = frozenset({"_step", "_timestamp", "_runtime", "_writer", "_late"})

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_SCALARS = frozenset({float, bool, type(None)})
#: More items than this make an array too long for a list in a row.
_LONGEST_ARRAY = 100_000


def checked_row(data: Any) -> dict[str, Any]:
    """Return what is recorded of the argument of ``log()``: plain values, without empty and reserved keys.

    Raises:
        DataError: It is no mapping, has a key that is no string or too long, or a value of a strange type.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"log() takes a dict of metrics, not {_named(data)}")
    row = plain_mapping(data)
    return {key: value for key, value in row.items() if key and key not in RESERVED}


def plain_mapping(data: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
    """Return a mapping with string keys and plain values only.

    Raises:
        DataError: A key is no string or too long, a value is of a strange type, or the nesting is too deep.
    """
    if depth > DEFAULT_LIMITS.depth:
        raise DataError(f"nested deeper than {DEFAULT_LIMITS.depth} levels")
    result = {}
    for key, value in data.items():
        if not isinstance(key, str):
            raise DataError(f"keys are strings, not {_named(key)}")
        if len(key) > DEFAULT_LIMITS.key_length:
            raise DataError(f"the key {key[:40]!r}… is longer than {DEFAULT_LIMITS.key_length} characters")
        try:
            result[str(key)] = value if type(value) in _SCALARS else plain(value, depth)
        except DataError as error:
            raise DataError(f"{key!r}: {error}") from None
    return result


def plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one a kind of value
    """Return a value as None, bool, int of 64 bits, float, string, list or dict of such.

    Integers beyond 64 bits become floats, strings over the limit are shortened and end with a note of their length,
    arrays of one element become numbers, sets become lists; dates, decimals and the like become what msgspec makes
    of them.

    Raises:
        DataError: There is no such form.
    """
    match value:
        case None | bool() | float():
            return float(value) if isinstance(value, float) else value
        case int():
            return int(value) if _INT64_MIN <= value <= _INT64_MAX else as_float(value)
        case str():
            return shortened(str(value))
        case Mapping():
            return plain_mapping(value, depth + 1)
        case list() | tuple() | set() | frozenset():
            if depth > DEFAULT_LIMITS.depth:
                raise DataError(f"nested deeper than {DEFAULT_LIMITS.depth} levels")
            return [plain(item, depth + 1) for item in value]
    if hasattr(value, "item") and hasattr(value, "tolist"):
        return _from_array(value, depth)
    return _from_object(value, depth)


def as_float(value: int) -> float:
    """Return an integer of any size as a float, beyond its range an infinity."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def shortened(text: str) -> str:
    """Return a string within the limit and fit for UTF-8: a longer one ends with a note that says how long it was."""
    limit = DEFAULT_LIMITS.string_length
    if len(text) > limit:
        note = f"… [shortened from {len(text)} characters]"
        text = text[: limit - len(note)] + note
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="backslashreplace").decode()
    return text


def _from_array(value: Any, depth: int) -> Any:
    """Numpy scalars and arrays, torch tensors and the like: they know ``item`` and ``tolist``."""
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    count = math.prod(size) if isinstance(size, (tuple, list)) else int(size)
    if count == 1:
        return _or_data_error(value, value.item, depth)
    if count > _LONGEST_ARRAY:
        raise DataError(f"an array of {count} elements is too long for a row (at most {_LONGEST_ARRAY})")
    return _or_data_error(value, value.tolist, depth)


def _from_object(value: Any, depth: int) -> Any:
    return _or_data_error(value, lambda: msgspec.to_builtins(value, str_keys=True, enc_hook=_refuse), depth)


def _or_data_error(value: Any, convert: Any, depth: int) -> Any:
    try:
        converted = convert()
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"cannot record {_named(value)}: {error}") from error
    if type(converted) is type(value):
        raise DataError(f"cannot record {_named(value)}")
    return plain(converted, depth + 1)


def _refuse(value: Any) -> Any:
    raise DataError(f"cannot record {_named(value)}")


def _named(value: Any) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a value of type {name}"
