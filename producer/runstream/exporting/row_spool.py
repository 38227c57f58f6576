"""Rows that wait in a temporary file until the columns of all of them are known."""

from __future__ import annotations

import struct
import tempfile
from typing import TYPE_CHECKING, Any, Self

import msgspec

from runstream.exporting.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LENGTH = struct.Struct("<Q")


class RowSpool:
    """Keeps rows in a file without a name in a folder, which vanishes with the process; raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.columns = Columns()
        self.count = 0
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self._encode = msgspec.msgpack.Encoder().encode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        data = self._encode(self.columns.add(row))
        self._file.write(_LENGTH.pack(len(data)) + data)
        self.count += 1

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows, at most so many at a time."""
        self._file.seek(0)
        decode = msgspec.msgpack.Decoder().decode
        batch: list[dict[str, Any]] = []
        for _ in range(self.count):
            (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
            batch.append(decode(self._file.read(length)))
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch
