"""What may be logged, and what becomes of values that msgpack has no word for."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from numbers import Real
from pathlib import PurePath
from typing import Any

import msgspec

from runstream.exceptions import DataError
from runstream_schemas.limits import DEFAULT_LIMITS

#: Keys that a row has of itself; a caller's value under one of them is left out.
RESERVED = frozenset({"_step", "_timestamp", "_runtime", "_writer", "_late"})

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_SCALARS = frozenset({float, bool, type(None)})

#: What becomes of an array of more than :data:`LONGEST_LIST` elements, given as numpy's.
LongArrayEncoder = Callable[[Any], Any]
#: Elements up to which an array is a list.
LONGEST_LIST = 32
#: Elements of an array or an iterator that are too many for a list in any case.
_LONGEST_ARRAY = 100_000
_BINS = 32
#: Characters of an error to which the keys on the way to its value are still added.
_LONGEST_REASON = 200


def to_plain_row(data: Any) -> dict[str, Any]:
    """Return what is recorded of the argument of ``log()``: plain values, without empty and reserved keys.

    Raises:
        DataError: It is no mapping, has a key that is no string or too long, or a value of a strange type.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"log() takes a dict of metrics, not {_named(data)}")
    row = plain_mapping(data, long_array=histogram)
    return {key: value for key, value in row.items() if key and key not in RESERVED}


def plain_mapping(
    data: Mapping[Any, Any], depth: int = 0, *, long_array: LongArrayEncoder | None = None
) -> dict[str, Any]:
    """Return a mapping with string keys and plain values only.

    Raises:
        DataError: A key is no string or too long, a value is of a strange type, or the nesting is too deep.
    """
    if depth > DEFAULT_LIMITS.depth:
        raise DataError(f"nested deeper than {DEFAULT_LIMITS.depth} levels")
    result = {}
    for given, value in data.items():
        key = _encodable(str.__str__(given)) if isinstance(given, str) else _inner_key(given, depth)
        if len(key) > DEFAULT_LIMITS.key_length:
            raise DataError(f"the key {key[:40]!r}… is longer than {DEFAULT_LIMITS.key_length} characters")
        try:
            result[key] = value if type(value) in _SCALARS else plain(value, depth, long_array=long_array)
        except DataError as error:
            raise DataError(f"{key!r}: {error}" if len(str(error)) < _LONGEST_REASON else str(error)) from None
    return result


def plain(  # noqa: PLR0911 - one a kind of value
    value: Any, depth: int = 0, *, long_array: LongArrayEncoder | None = None
) -> Any:
    """Return a value as None, bool, int of 64 bits, float, string, list or dict of such.

    Integers beyond 64 bits become floats, strings over the limit are shortened and end with a note of their length,
    arrays of one element become numbers, sets, deques and iterators lists, bytes, complex numbers, dates and functions
    text, members of an enum their values; dataclasses and the like become what msgspec makes of them.

    Args:
        value: Any value.
        depth: How deep it lies.
        long_array: What becomes of an array of more than 32 elements; None: a list.

    Raises:
        DataError: There is no such form.
    """
    match value:
        case Enum():
            return plain(value.value, depth + 1, long_array=long_array)
        case None | bool() | float():
            return float(value) if isinstance(value, float) else value
        case int():
            return int(value) if _INT64_MIN <= value <= _INT64_MAX else to_float(value)
        case str():
            return shortened(str.__str__(value))
        case Mapping():
            return plain_mapping(value, depth + 1, long_array=long_array)
        case list() | tuple() | set() | frozenset() | deque():
            if depth > DEFAULT_LIMITS.depth:
                raise DataError(f"nested deeper than {DEFAULT_LIMITS.depth} levels")
            return [plain(item, depth + 1, long_array=long_array) for item in value]
    return _plain_object(value, depth, long_array)


def histogram(array: Any) -> dict[str, Any]:
    """Return the histogram of an array of numbers, in 32 bins between the least and the greatest.

    Raises:
        TypeError: The array does not hold numbers.
        ValueError: One of them is not finite.
    """
    import numpy as np  # noqa: PLC0415 - whoever has an array has imported it

    counts, edges = np.histogram(array.astype(np.uint8) if array.dtype == bool else array, bins=_BINS)
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


def to_float(value: int) -> float:
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
    return _encodable(text)


def _encodable(text: str) -> str:
    """Return a string fit for UTF-8: a surrogate without its other half is spelled out."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="backslashreplace").decode()
    return text


def _inner_key(key: Any, depth: int) -> str:
    """Return a key that is no string as text; only nested dicts may have such."""
    text = _key_text(key) if depth else None
    if text is None:
        raise DataError(f"keys are strings, not {_named(key)}")
    return _encodable(text)


def _key_text(key: Any) -> str | None:  # noqa: PLR0911 - one a kind of key
    match key:
        case str():
            return str.__str__(key)
        case Enum():
            return _key_text(key.value)
        case bool():
            return "true" if key else "false"
        case None | Real():
            return str(key)
        case tuple():
            parts = [_key_text(part) for part in key]
            return None if None in parts else ",".join(part for part in parts if part is not None)
    if type(key).__module__ == "numpy" and hasattr(key, "item"):  # its booleans
        return _key_text(key.item())
    return _as_text(key)


def _as_text(value: Any) -> str | None:  # noqa: PLR0911 - one a kind of value
    """Return the text that a value of Python's own is recorded as, None for other values."""
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode(errors="backslashreplace")
        case complex():
            return str(value).strip("()")
        case dt.date() | dt.time():  # a datetime is a date
            return re.sub(r"\+00:00$", "Z", value.isoformat())
        case dt.timedelta():
            return _as_period(value)
        case Decimal() | Fraction() | PurePath() | IPv4Address() | IPv6Address():
            return str(value)
        case re.Pattern():
            return str(value.pattern)
    return None


def _as_period(value: dt.timedelta) -> str:
    """Return a time span as ISO 8601 spells it, such as ``P1DT2H3.5S``."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}.{value.microseconds:06}".rstrip("0").rstrip(".")
    units = ((f"{hours}", "H"), (f"{minutes}", "M"), (rest, "S"))
    time = "".join(f"{count}{unit}" for count, unit in units if count != "0")
    day = f"{value.days}D" if value.days else ""
    return f"{sign}P{day}" + (f"T{time}" if time else "" if day else "T0S")


def _name_of(function: Any) -> str:
    """Return the name of a function or a class with its module's; of another thing that can be called its text."""
    if hasattr(function, "__qualname__") and hasattr(function, "__module__"):
        return f"{function.__module__}.{function.__qualname__}"
    return str(function)


def _plain_object(value: Any, depth: int, long_array: LongArrayEncoder | None) -> Any:
    """Return what is recorded of a value that neither msgpack has a word for nor holds others."""
    if (text := _as_text(value)) is not None:
        return shortened(text)
    if hasattr(value, "item") and hasattr(value, "tolist"):
        return _converted(value, lambda: _from_array(value, long_array), depth)
    if callable(getattr(value, "numpy", None)):
        return _converted(value, lambda: _from_array(value.numpy(), long_array), depth)
    if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
        return _converted(value, lambda: _from_iterator(value), depth)
    return _converted(value, lambda: msgspec.to_builtins(value, str_keys=True, enc_hook=_from_stranger), depth)


def _from_iterator(value: Iterator[Any]) -> list[Any]:
    items = list(islice(value, _LONGEST_ARRAY + 1))
    if len(items) > _LONGEST_ARRAY:
        raise DataError(f"an iterator of more than {_LONGEST_ARRAY} elements is too long for a row")
    return items


def _from_array(value: Any, long_array: LongArrayEncoder | None) -> Any:
    """Numpy scalars and arrays, torch tensors and the like: they know ``item`` and ``tolist``."""
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    count = math.prod(size) if isinstance(size, (tuple, list)) else int(size)
    if count == 1:
        return value.item()
    if count > LONGEST_LIST and long_array is not None:
        return long_array(_as_numpy(value))
    if count > _LONGEST_ARRAY:
        raise DataError(f"an array of {count} elements is too long for a row (at most {_LONGEST_ARRAY})")
    return value.tolist()


def _as_numpy(value: Any) -> Any:
    """Return a tensor, wherever it lies and whatever its type, as an array of numpy's."""
    import numpy as np  # noqa: PLC0415 - as in histogram()

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):  # which numpy does not have
            value = value.float()
    return np.asarray(value)


def _converted(value: Any, convert: Callable[[], Any], depth: int) -> Any:
    try:
        converted = convert()
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"cannot record {_named(value)}: {error}") from error
    if type(converted) is type(value):
        if isinstance(converted, Real):  # a number that is longer than Python's
            return float(converted)
        raise DataError(f"cannot record {_named(value)}")
    return plain(converted, depth + 1)


def _from_stranger(value: Any) -> Any:
    """Return what is recorded of a value that msgspec does not know."""
    if callable(value):
        return shortened(_name_of(value))
    raise DataError(f"cannot record {_named(value)}")


def _named(value: Any) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a value of type {name}"
