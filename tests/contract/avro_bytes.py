"""Avro encoding by hand, for messages that no writer would produce."""

from __future__ import annotations


def zigzag(number: int) -> bytes:
    """Encode an int or a long."""
    rest = ((number << 1) ^ (number >> 63)) & (2**64 - 1)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def text(value: str | bytes) -> bytes:
    """Encode a string or bytes."""
    raw = value.encode() if isinstance(value, str) else value
    return zigzag(len(raw)) + raw


def array(items: list[bytes]) -> bytes:
    """Encode an array of encoded items in one block."""
    return (zigzag(len(items)) + b"".join(items) if items else b"") + b"\0"
