"""The frame of an event in Confluent's format: a zero byte, the schema id (four bytes, big-endian), the Avro body."""

from __future__ import annotations

import struct

from runstream_schemas.exceptions import MalformedEvent

_HEAD = struct.Struct(">bI")
HEAD_BYTES = _HEAD.size


def frame(identifier: int, body: bytes) -> bytes:
    """Return the message with an Avro body that was written by a schema."""
    return _HEAD.pack(0, identifier) + body


def unframe(message: bytes) -> tuple[int, bytes]:
    """Return the schema id and the Avro body of a message; raises MalformedEvent if it is not framed."""
    if len(message) < HEAD_BYTES:
        raise MalformedEvent(f"Message of {len(message)} bytes, shorter than the frame of {HEAD_BYTES} bytes")
    magic, identifier = _HEAD.unpack_from(message)
    if magic != 0:
        raise MalformedEvent(f"Message begins with byte {message[0]:#04x}, expected 0x00")
    return identifier, message[HEAD_BYTES:]
