"""Bytes of the index of a part: arrays and plain values, compressed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: Length of the plain bytes, and CRC-32 of the compressed ones.
_HEAD = struct.Struct("<QI")


class IndexDamaged(Exception):  # noqa: N818 — a state of stored bytes
    """Bytes of the archive are not what was written; the message says which."""


def compress(data: bytes) -> bytes:
    """Return bytes compressed with zstd, after their length and a checksum."""
    packed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return _HEAD.pack(len(data), zlib.crc32(packed)) + packed


def decompress(data: bytes) -> bytes:
    """Return the bytes of :func:`compress`; raises IndexDamaged."""
    packed = data[_HEAD.size :]
    size, checksum = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (0, -1)
    if zlib.crc32(packed) != checksum:
        raise IndexDamaged(f"{len(data)} bytes of an index in the archive do not have their checksum")
    plain: bytes = pa.Codec("zstd").decompress(packed, size, asbytes=True)
    return plain


def pack_numbers(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return arrays of numbers as values of :func:`pack`: their type, and their bytes by significance."""
    return {name: [array.dtype.str, _transposed(array)] for name, array in arrays.items()}


def unpack_numbers(packed: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the arrays of :func:`pack_numbers`."""
    return {name: _restored(np.dtype(kind), data) for name, (kind, data) in packed.items()}


def pack(value: Any) -> bytes:
    """Return a value of dicts, lists, texts, bytes and numbers as compressed bytes."""
    return compress(msgspec.msgpack.encode(value))


def unpack(data: bytes) -> Any:
    """Return the value of :func:`pack`; raises IndexDamaged."""
    return msgspec.msgpack.decode(decompress(data))


def _transposed(array: NDArray[Any]) -> bytes:
    """Return all first bytes, then all second ones, and so on, which compress better."""
    return array.view(np.uint8).reshape(len(array), array.dtype.itemsize).T.tobytes()


def _restored(kind: np.dtype[Any], data: bytes) -> NDArray[Any]:
    table = np.frombuffer(data, dtype=np.uint8).reshape(kind.itemsize, -1).T
    return np.ascontiguousarray(table).view(kind).reshape(-1)
