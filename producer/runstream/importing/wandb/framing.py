"""The frames of a ``.wandb`` file: LevelDB's log format with another checksum.

A file is a header of 7 bytes and blocks of 32 KiB, of which the first includes the header. A block has chunks: CRC-32
of type and data, length, type, data. A record is a chunk of type FULL, or chunks FIRST, MIDDLE …, LAST. A block ends
with zeros where not even the head of a chunk has room. (LevelDB, doc/log_format.md; wandb, its datastore.)
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = struct.Struct("<4sHB")
MAGIC, NUMBER, VERSION = b":W&B", 0xBEE1, 0
CHUNK = struct.Struct("<IHB")
BLOCK = 32 * 1024
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
#: A record that would be larger is damage: W&B's own limit is far below.
LARGEST_RECORD = 1024 * 1024 * 1024
_SEEDS = {kind: zlib.crc32(bytes([kind])) for kind in (FULL, FIRST, MIDDLE, LAST)}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes of a file from ``start`` to ``stop`` that are no frames, and why."""

    start: int
    stop: int
    reason: str


def problem_of_header(header: bytes) -> str:
    """Return why the first bytes are not those of a ``.wandb`` file, or an empty string if they are."""
    if len(header) < HEADER.size:
        return f"it has {len(header)} bytes, less than the header of a .wandb file"
    magic, number, version = HEADER.unpack(header[: HEADER.size])
    if (magic, number) != (MAGIC, NUMBER):
        return f"it begins with {header[: HEADER.size]!r}, not with the header of a .wandb file"
    return "" if version == VERSION else f"it has version {version} of the format; version {VERSION} is supported"


def frames(file: BinaryIO) -> Iterator[bytes | Unreadable]:
    """Yield the records of a file whose header was read, and places that cannot be read, in order.

    Reading resumes at the next block after damage. A file that ends within a record, as after a crash, ends with an
    :class:`Unreadable`.
    """
    start, parts, size, begun = HEADER.size, list[bytes](), 0, HEADER.size
    while block := file.read(BLOCK - start % BLOCK):
        for item in _chunks(block, start):
            if isinstance(item, Unreadable):
                parts = []
                yield item
                continue
            kind, data, position = item
            if (kind in {FULL, FIRST}) == bool(parts):
                yield Unreadable(begun if parts else position, position, "a record has no beginning or no end")
                parts = []
                if kind not in {FULL, FIRST}:
                    continue
            if not parts:
                begun, size = position, 0
            parts.append(data)
            size += len(data)
            if kind in {FULL, LAST} or size > LARGEST_RECORD:
                complete, parts = b"".join(parts), []
                yield complete if size <= LARGEST_RECORD else Unreadable(begun, position, "a record is too large")
        start += len(block)
    if parts:
        yield Unreadable(begun, start, "the file ends within a record")


def _chunks(block: bytes, start: int) -> Iterator[tuple[int, bytes, int] | Unreadable]:
    """Yield type, data and position of the chunks of a block; ``start`` is the position of the block in the file."""
    at, end = 0, len(block)
    whole = (start + end) % BLOCK == 0
    while end - at >= CHUNK.size:
        crc, length, kind = CHUNK.unpack_from(block, at)
        if kind == length == crc == 0:
            if any(block[at:]):
                yield Unreadable(start + at, start + end, "there are zeros where a record is expected")
            return
        data = block[at + CHUNK.size : at + CHUNK.size + length]
        if len(data) < length and not whole:
            yield Unreadable(start + at, start + end, "the file ends within a record")
            return
        if kind not in _SEEDS or len(data) < length or zlib.crc32(data, _SEEDS[kind]) != crc:
            yield Unreadable(start + at, start + end, "the checksum of a record is wrong")
            return
        yield kind, data, start + at
        at += CHUNK.size + length
    if not whole and any(block[at:]):
        yield Unreadable(start + at, start + end, "the file ends within a record")
