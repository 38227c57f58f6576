"""The texts of keys and of values of the standard library."""

from __future__ import annotations

import codecs
import datetime as dt
import re
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address
from numbers import Real
from pathlib import PurePath
from typing import Any

from runstream_schemas.limits import DEFAULT_LIMITS


def encodable(text: str) -> str:
    """Return a string that is valid UTF-8: lone surrogates are escaped."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="backslashreplace").decode()
    return text


def truncated(text: str) -> str:
    """Return a string that is valid UTF-8 and within the limit; a longer one is cut and ends with its length."""
    limit = DEFAULT_LIMITS.string_length
    if len(text) > limit:
        note = f"… [shortened from {len(text)} characters]"
        text = text[: limit - len(note)] + note
    return encodable(text)


def key_text(key: Any) -> str | None:  # noqa: PLR0911 - one for each kind of key
    """Return the text for a key of a nested dict; None if it cannot be one."""
    match key:
        case str():
            return str.__str__(key)
        case Enum():
            return key_text(key.value)
        case bool():
            return "true" if key else "false"
        case None | Real():
            return str(key)
        case tuple():
            parts = [key_text(part) for part in key]
            return None if None in parts else ",".join(part for part in parts if part is not None)
    if type(key).__module__ == "numpy" and hasattr(key, "item"):  # its booleans
        return key_text(key.item())
    return as_text(key)


def as_text(value: Any) -> str | None:  # noqa: PLR0911 - one for each kind of value
    """Return the text for a value of the standard library; None for other values."""
    match value:
        case bytes() | bytearray() | memoryview():
            return _decoded(bytes(value))
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


def _decoded(data: bytes) -> str:
    """Return bytes as text. Beyond the longest text, its length matters, so that what is quick will do."""
    text, end = codecs.utf_8_decode(data[: DEFAULT_LIMITS.string_length], "backslashreplace", False)  # noqa: FBT003
    return text + data[end:].decode(errors="surrogateescape")


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
