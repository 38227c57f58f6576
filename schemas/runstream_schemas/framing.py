"""The frame around an event: byte 0, the schema's id in four bytes big-endian, the Avro body (Confluent's format)."""

from __future__ import annotations

import struct

from runstream_schemas.exceptions import MalformedEvent

_HEAD = struct.Struct(">bI")
HEAD_BYTES = _HEAD.size


def frame(identifier: int, body: bytes) -> bytes:
    """Return the message that carries an Avro body written by the schema of that id."""
    return _HEAD.pack(0, identifier) + body


def unframe(message: bytes) -> tuple[int, bytes]:
    """Return the schema id and the Avro body of a message; raises MalformedEvent where it is not framed."""
    if len(message) < HEAD_BYTES:
        raise MalformedEvent(f"message of {len(message)} bytes is shorter than its frame of {HEAD_BYTES}")
    magic, identifier = _HEAD.unpack_from(message)
    if magic != 0:
        raise MalformedEvent(f"message begins with byte {message[0]:#04x} instead of 0x00")
    return identifier, message[HEAD_BYTES:]
