"""The wire format of protocol buffers: just what the records of a ``.wandb`` file need.

Fields are read by number into a :class:`Message`, so that W&B's own package, and its version, do not matter.
(Protocol Buffers documentation, "Encoding".)
"""

from __future__ import annotations

from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
#: The bit of a byte that is set if the number continues.
_MORE = 0x80
_SIGN, _RANGE = 1 << 63, 1 << 64


class WireError(ValueError):
    """Bytes that are not a message."""


class Message:
    """The fields of a message by number: integers, or bytes of texts, nested messages and numbers of fixed size."""

    __slots__ = ("fields",)

    def __init__(self, data: bytes) -> None:
        self.fields = _fields(data)

    def number(self, field: int, default: int = 0) -> int:
        """Return the last value of an integer field, with its sign."""
        value = self.fields.get(field, (default,))[-1]
        if not isinstance(value, int):
            raise WireError(f"field {field} is not an integer")
        return value - _RANGE if value >= _SIGN else value

    def text(self, field: int) -> str:
        """Return the last value of a text field; bytes that are not UTF-8 are replaced."""
        return _bytes(field, self.fields.get(field, (b"",))[-1]).decode("utf-8", "replace")

    def texts(self, field: int) -> list[str]:
        """Return the values of a repeated text field."""
        return [_bytes(field, value).decode("utf-8", "replace") for value in self.fields.get(field, ())]

    def message(self, field: int) -> Message | None:
        """Return the last value of a field that is a message, or None without one."""
        values = self.fields.get(field)
        return Message(_bytes(field, values[-1])) if values else None

    def messages(self, field: int) -> list[Message]:
        """Return the values of a repeated field of messages."""
        return [Message(_bytes(field, value)) for value in self.fields.get(field, ())]


def _bytes(field: int, value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise WireError(f"field {field} is an integer")
    return value


def _fields(data: bytes) -> dict[int, list[Any]]:  # noqa: C901 - most of the time of an import is spent here
    found: dict[int, list[Any]] = {}
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag >= _MORE:
            tag, at = _varint(data, at - 1)
        kind = tag & 7
        value: Any
        if kind == _BYTES:
            length = data[at] if at < end else _MORE
            at += 1
            if length >= _MORE:
                length, at = _varint(data, at - 1)
            value = data[at : at + length]
            if len(value) < length:
                raise WireError("a field is longer than its message")
            at += length
        elif kind == _VARINT:
            value = data[at] if at < end else _MORE
            at += 1
            if value >= _MORE:
                value, at = _varint(data, at - 1)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
            value = data[at : at + size]
            if len(value) < size:
                raise WireError("a field is longer than its message")
            at += size
        else:
            raise WireError(f"wire type {kind} is unknown")
        number = tag >> 3
        if number in found:
            found[number].append(value)
        else:
            found[number] = [value]
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if at + index >= len(data):
            raise WireError("a number is longer than its message")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < _MORE:
            return value % _RANGE, at + index + 1
    raise WireError(f"a number has more than {_LONGEST_VARINT} bytes")
