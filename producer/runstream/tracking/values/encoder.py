"""Encoding of the values that users log as plain data."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from numbers import Real
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.exceptions import DataError
from runstream_schemas.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from pathlib import Path

#: Keys that every row has; values that are logged under them are dropped.
RESERVED = frozenset({"_step", "_timestamp", "_runtime", "_writer", "_late"})

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_SCALARS = frozenset({float, bool, type(None)})

#: Elements up to which an array is recorded as a list.
LONGEST_LIST = 32
#: Elements of the longest array or iterator that is recorded.
_LONGEST_ARRAY = 100_000
_BINS = 32
#: Length of an error message up to which the key of the value is added in front.
_LONGEST_REASON = 200

#: Encodes an array of more than :data:`LONGEST_LIST` elements, which is passed as a numpy array.
LongArrayEncoder = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEncoder:
    """Converts values that users log to plain data, in the context of a run.

    The fast path of ``log()`` does not call it for rows of numbers whose keys are known.
    """

    #: Encode the values of a type, such as an image, in the context of the run; called with the value and this encoder.
    handlers: Mapping[type, Callable[[Any, ValueEncoder], Any]] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    warn: Callable[[str], None] = lambda _: None
    #: Folder for files of the run; None if there is none.
    folder: Path | None = None

    def row(self, data: Any) -> dict[str, Any]:
        """Return the plain data of the argument of ``log()``, without empty and reserved keys; raises DataError."""
        if not isinstance(data, Mapping):
            raise DataError(f"Invalid data: log() expects a dict of metrics, not {_described(data)}")
        row = self.mapping(data, long_array=histogram)
        return {key: value for key, value in row.items() if key and key not in RESERVED}

    def mapping(
        self, data: Mapping[Any, Any], depth: int = 0, *, long_array: LongArrayEncoder | None = None
    ) -> dict[str, Any]:
        """Return a mapping as a dict with string keys and plain values; raises DataError as for its values or depth."""
        self._validate_depth(depth)
        result = {}
        for given, value in data.items():
            key = encodable(str.__str__(given)) if isinstance(given, str) else _inner_key(given, depth)
            if len(key) > self.limits.key_length:
                raise DataError(f"Invalid key {key[:40]!r}…: expected at most {self.limits.key_length} characters")
            try:
                result[key] = value if type(value) in _SCALARS else self.value(value, depth, long_array=long_array)
            except DataError as error:
                raise DataError(f"{key!r}: {error}" if len(str(error)) < _LONGEST_REASON else str(error)) from None
        return result

    def value(  # noqa: PLR0911 - one for each kind of value
        self, value: Any, depth: int = 0, *, long_array: LongArrayEncoder | None = None
    ) -> Any:
        """Return a value as None, bool, int of 64 bits, float, string, or a list or dict of these; raises DataError.

        Larger integers become floats. Strings over the limit are truncated and end with their length. Arrays of one
        element become numbers, those of more than 32 a list or what ``long_array`` returns; sets, deques and iterators
        become lists; bytes, complex numbers, dates and functions become text; members of an enum become their values.
        Dataclasses and the like are converted by msgspec.
        """
        match value:
            case Enum():
                return self.value(value.value, depth + 1, long_array=long_array)
            case None | bool() | float():
                return float(value) if isinstance(value, float) else value
            case int():
                return int(value) if _INT64_MIN <= value <= _INT64_MAX else to_float(value)
            case str():
                return truncated(str.__str__(value))
            case Mapping():
                return self.mapping(value, depth + 1, long_array=long_array)
            case list() | tuple() | set() | frozenset() | deque():
                self._validate_depth(depth)
                return [self.value(item, depth + 1, long_array=long_array) for item in value]
        return self._object(value, depth, long_array)

    def _validate_depth(self, depth: int) -> None:
        if depth > self.limits.depth:
            raise DataError(f"Invalid nesting: expected at most {self.limits.depth} levels")

    def _object(self, value: Any, depth: int, long_array: LongArrayEncoder | None) -> Any:
        """Return the plain data of a value that is neither a plain value nor a container."""
        if (handler := self.handlers.get(type(value))) is not None:
            return self._converted(value, lambda: handler(value, self), depth)
        if (text := _as_text(value)) is not None:
            return truncated(text)
        if hasattr(value, "item") and hasattr(value, "tolist"):
            return self._converted(value, lambda: _from_array(value, long_array), depth)
        if callable(getattr(value, "numpy", None)):
            return self._converted(value, lambda: _from_array(value.numpy(), long_array), depth)
        if isinstance(value, Iterator) and not isinstance(value, io.IOBase):
            return self._converted(value, lambda: _from_iterator(value), depth)
        return self._converted(value, lambda: msgspec.to_builtins(value, str_keys=True, enc_hook=_from_unknown), depth)

    def _converted(self, value: Any, convert: Callable[[], Any], depth: int) -> Any:
        try:
            converted = convert()
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"Cannot record {_described(value)}: {error}") from error
        if type(converted) is type(value):
            if isinstance(converted, Real):  # a number with more bits than Python's
                return float(converted)
            raise DataError(f"Cannot record {_described(value)}")
        return self.value(converted, depth + 1)


def histogram(array: Any) -> dict[str, Any]:
    """Return the histogram of an array of finite numbers in 32 bins; raises TypeError or ValueError for others."""
    import numpy as np  # noqa: PLC0415 - imported already, if there is an array

    counts, edges = np.histogram(array.astype(np.uint8) if array.dtype == bool else array, bins=_BINS)
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


def validated_key(kind: str, key: Any, given: Any) -> str:
    """Return a key of config or summary (``kind``), made of what was given; raises DataError if it is not valid."""
    longest = DEFAULT_LIMITS.key_length
    if not isinstance(key, str) or not 0 < len(key) <= longest:
        raise DataError(f"Invalid {kind} key {given!r:.60}: expected a string of 1 to {longest} characters")
    return str(key)


def to_float(value: int) -> float:
    """Return an integer of any size as a float: an infinity if it is out of range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def truncated(text: str) -> str:
    """Return a string that is valid UTF-8 and within the limit; a longer one is cut and ends with its length."""
    limit = DEFAULT_LIMITS.string_length
    if len(text) > limit:
        note = f"… [shortened from {len(text)} characters]"
        text = text[: limit - len(note)] + note
    return encodable(text)


def without_nan(value: Any) -> Any:
    """Return plain data with NaN replaced by None."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    return [without_nan(item) for item in value] if isinstance(value, list) else value


def encodable(text: str) -> str:
    """Return a string that is valid UTF-8: lone surrogates are escaped."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="backslashreplace").decode()
    return text


def _inner_key(key: Any, depth: int) -> str:
    """Return a key that is not a string as text, which is allowed in nested dicts only."""
    text = _key_text(key) if depth else None
    if text is None:
        raise DataError(f"Invalid key: expected a string, not {_described(key)}")
    return encodable(text)


def _key_text(key: Any) -> str | None:  # noqa: PLR0911 - one for each kind of key
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


def _as_text(value: Any) -> str | None:  # noqa: PLR0911 - one for each kind of value
    """Return the text for a value of the standard library; None for other values."""
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
    """Return a duration in ISO 8601, such as ``P1DT2H3.5S``."""
    sign, value = ("-", -value) if value < dt.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}.{value.microseconds:06}".rstrip("0").rstrip(".")
    units = ((f"{hours}", "H"), (f"{minutes}", "M"), (rest, "S"))
    time = "".join(f"{count}{unit}" for count, unit in units if count != "0")
    day = f"{value.days}D" if value.days else ""
    return f"{sign}P{day}" + (f"T{time}" if time else "" if day else "T0S")


def _from_iterator(value: Iterator[Any]) -> list[Any]:
    if len(items := list(islice(value, _LONGEST_ARRAY + 1))) > _LONGEST_ARRAY:
        raise DataError(f"Iterator too long: expected at most {_LONGEST_ARRAY} elements")
    return items


def _from_array(value: Any, long_array: LongArrayEncoder | None) -> Any:
    """Return the plain data of a numpy scalar or array, a torch tensor or the like."""
    size = getattr(value, "size", 1)
    size = size() if callable(size) else size
    count = math.prod(size) if isinstance(size, (tuple, list)) else int(size)
    if count == 1:
        return value.item()
    if count > LONGEST_LIST and long_array is not None:
        return long_array(_as_numpy(value))
    if count > _LONGEST_ARRAY:
        raise DataError(f"Array of {count} elements too long: expected at most {_LONGEST_ARRAY}")
    return value.tolist()


def _as_numpy(value: Any) -> Any:
    """Return a tensor of any type on any device as a numpy array."""
    import numpy as np  # noqa: PLC0415 - as in histogram()

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):  # numpy does not have it
            value = value.float()
    return np.asarray(value)


def _from_unknown(value: Any) -> Any:
    """Return the qualified name of a function or class that msgspec does not support, the text of other callables."""
    if callable(value):
        named = hasattr(value, "__qualname__") and hasattr(value, "__module__")
        return truncated(f"{value.__module__}.{value.__qualname__}" if named else str(value))
    raise DataError(f"Cannot record {_described(value)}")


def _described(value: Any) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"a value of type {name}"


#: For values without a run, such as those of a config that is being built.
DEFAULT_ENCODER = ValueEncoder()
