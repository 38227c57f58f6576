"""Packs: staged files that have the contents of many small files, one after another.

A file of its own for each content costs more than its bytes: creating, opening and deleting it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Contents up to this size are packed.
PACKED_BYTES = 32 * 1024
#: The size from which on a pack accepts no more.
_FULL_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PackedContent:
    """The content of a file in a pack: ``size`` bytes from ``offset`` on, and their SHA-256."""

    pack: Path
    offset: int
    size: int
    sha256: bytes

    def read(self) -> bytes:
        """Return the bytes; raises OSError if the pack does not have them."""
        with self.pack.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if hashlib.sha256(data).digest() != self.sha256:
            raise OSError(f"{self.pack} was changed: {self.size} bytes from {self.offset} on are not those added")
        return data


class Pack:
    """A new file in a folder, to which contents are appended. Safe with threads; of one process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.path = folder / secrets.token_hex(8)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._descriptor)

    @property
    def usable(self) -> bool:
        """Whether more may be added: it is not full, and of this process and not of its parent."""
        return self._size < _FULL_BYTES and self._pid == os.getpid()

    def add(self, source: str | os.PathLike[str]) -> PackedContent | None:
        """Append the present content of a file; return None if it is empty or not small.

        Raises OSError if it cannot be read, or has no room; the contents before it are not affected.
        """
        data = _read_small(source)
        return self.append(data) if data else None

    def append(self, data: bytes) -> PackedContent:
        """Append bytes; raises OSError as :meth:`add`."""
        with self._lock:
            offset = self._size
            written = 0
            while written < len(data):
                written += os.pwrite(self._descriptor, data[written:] if written else data, offset + written)
            self._size += len(data)
        return PackedContent(self.path, offset, len(data), hashlib.sha256(data).digest())


def _read_small(source: str | os.PathLike[str]) -> bytes:
    """Return the content of a file; nothing if it is longer than is packed."""
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = found = os.read(descriptor, PACKED_BYTES + 1)
        while found and len(data) <= PACKED_BYTES:
            found = os.read(descriptor, PACKED_BYTES + 1 - len(data))
            data += found
    finally:
        os.close(descriptor)
    return data if len(data) <= PACKED_BYTES else b""
