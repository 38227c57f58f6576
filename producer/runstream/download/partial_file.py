"""A file of which a part has arrived: a later download continues it, also one of another process."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1024 * 1024


class PartialFile:
    """The bytes of a file that have arrived, next to their target, under a name that follows from name and content.

    While one process downloads it, another that wants the same file writes to one of its own. It is kept for a later
    attempt, unless the content is not known (``sha256`` is empty) or nothing arrived. Raises OSError.
    """

    def __init__(self, target: Path, sha256: str) -> None:
        name = hashlib.sha256(f"{target.name}\0{sha256}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
        self._resumable = bool(sha256)
        self._path, self._file = self._open(target.parent, name)
        self._hash = hashlib.sha256()
        self.size = 0
        #: Whether the server has sent the last byte.
        self.ended = False
        while chunk := self._file.read(_CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)
        #: Whether some of the bytes are of an earlier download.
        self.is_resumed = self.size > 0

    @property
    def sha256(self) -> str:
        """The SHA-256 of what has arrived, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises OSError."""
        view = memoryview(chunk)
        while view:
            view = view[self._file.write(view) :]
        self._hash.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget what has arrived."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size, self.ended, self.is_resumed = 0, False, False

    def publish(self, target: Path) -> None:
        """Give the file its name."""
        self._path.replace(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not (self._resumable and self.size):
            with suppress(OSError):
                if os.path.samestat(os.fstat(self._file.fileno()), self._path.stat()):
                    self._path.unlink()
        self._file.close()

    def _open(self, folder: Path, name: str) -> tuple[Path, IO[bytes]]:
        if self._resumable:
            path = folder / f".{name}.part"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Another process may have renamed it before it was locked.
                if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                    return path, os.fdopen(descriptor, "r+b", buffering=0)
            os.close(descriptor)
        self._resumable = False
        path = folder / f".{name}.{secrets.token_hex(8)}.part"
        return path, path.open("x+b", buffering=0)
