"""Writes ``.wandb`` files, in the wire format of W&B's records, for tests of files that W&B itself would not write."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
_BLOCK, _HEAD = 32 * 1024, 7
#: A message: by field number an integer, a text, bytes, a message, or a list of these.
Fields = "Mapping[int, Any]"


def varint(number: int) -> bytes:
    """Return a number in the variable-length form."""
    number %= 1 << 64
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def message(fields: Mapping[int, Any]) -> bytes:
    """Return a message."""
    return b"".join(
        _field(number, one)
        for number, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    )


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else message(value)
    return varint(number << 3 | 2) + varint(len(data)) + data


def framed(records: Iterable[bytes]) -> bytes:
    """Return a file with records."""
    file = bytearray(HEADER)
    for record in records:
        first, rest = True, memoryview(record)
        while first or rest:
            room = _BLOCK - len(file) % _BLOCK
            if room < _HEAD:
                file += bytes(room)
                continue
            part, rest = rest[: room - _HEAD], rest[room - _HEAD :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            file += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            first = False
    return bytes(file)


def item(value: Any, *path: str) -> dict[int, Any]:
    """Return an item of a row, the config or the summary."""
    return {2: list(path), 16: value if isinstance(value, str) else json.dumps(value)}


def run_record(run_id: str = "abc", project: str = "digits", **config: Any) -> bytes:
    """Return the record that names a run."""
    values = {1: [item(value, key) for key, value in config.items()]}
    return message({17: {1: run_id, 3: project, 4: values, 17: {1: 1_700_000_000}}})


def row_record(step: int, **values: Any) -> bytes:
    """Return a row."""
    return message({2: {1: [item(value, key) for key, value in values.items()], 2: {1: step}}})


def exit_record(code: int = 0) -> bytes:
    """Return the end of a run."""
    return message({18: {1: code}})
