"""Files of the run folder that are refilled: large contents in memory are staged at about the cost of a copy.

New pages of the page cache cost several times as much as the copy itself. So a file is kept, as a second link to what
is staged, and refilled once the shipper has deleted the staged link.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import weakref
from typing import TYPE_CHECKING, Any

from runstream.files.staging import STAGED_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from runstream.files.staging import StagedFile, Staging

POOL_NAME = "pool"
#: Bytes from which on a content is kept in a file of the pool, and not in memory.
WORTH_A_FILE = 256 * 1024
#: Files that are kept for refilling; those of later contents are deleted.
_MOST_IDLE = 16
_CHUNK = 1024 * 1024


class PooledFile:
    """A content that is kept in a file of the pool while this object exists; afterwards the file may be refilled."""

    __slots__ = ("__weakref__", "_forks", "_loaded", "_pool", "path", "size")

    def __init__(self, pool: StagingPool, path: str, size: int) -> None:
        self.path = path
        self.size = size
        self._pool = pool
        self._forks = pool.forks
        self._loaded: bytes | None = None

    def stage(self, staging: Staging) -> StagedFile:
        """Stage the content, by another link to the file where possible; raises OSError."""
        return staging.link(self.path, self.size) if self._loaded is None else staging.write(self._loaded)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content; raises OSError."""
        if self._loaded is not None:
            yield self._loaded
            return
        with open(self.path, "rb") as file:  # noqa: PTH123
            while chunk := file.read(_CHUNK):
                yield chunk

    def load(self) -> None:
        """Keep the content in memory from now on, since the run folder may be deleted."""
        with contextlib.suppress(OSError):
            self._loaded = b"".join(self.chunks())

    def __del__(self) -> None:
        self._pool.release(self.path, self.size, self._forks)


class StagingPool:
    """The files of a run folder that are refilled. Safe with threads; a forked child makes its own files."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = os.fspath(run_folder / STAGED_NAME / POOL_NAME)
        self._pid = os.getpid()
        #: Whether forks may share the files that are in use: counted, since those of before a fork are not refilled.
        self.forks = 0
        #: Path and size of each file to refill.
        self._idle: list[tuple[str, int]] = []
        self._in_use: dict[str, weakref.ref[PooledFile]] = {}

    def keep(self, size: int, pieces: Iterable[Any]) -> PooledFile:
        """Keep a copy of so many bytes in a file; raises OSError.

        The pieces are memoryviews of bytes, or arrays of any type that are contiguous in C order.
        """
        self._note_fork()
        path = self._refillable(size) or f"{self._folder}/{secrets.token_hex(8)}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            at = 0
            for piece in pieces:
                done = os.pwrite(descriptor, piece, at)
                if done < piece.nbytes:
                    _write_rest(descriptor, piece, done, at)
                at += piece.nbytes
        except OSError:
            _delete(path)
            raise
        finally:
            os.close(descriptor)
        kept = PooledFile(self, path, size)
        self._in_use[path] = weakref.ref(kept)
        return kept

    def release(self, path: str, size: int, forks: int) -> None:
        """Note that a content is no longer used by this process."""
        self._in_use.pop(path, None)
        if os.getpid() != self._pid or forks != self.forks:
            return  # another process may still use it; it is deleted with the run folder
        if len(self._idle) < _MOST_IDLE:
            self._idle.append((path, size))
        else:
            _delete(path)

    def end(self) -> None:
        """Release the folder at the end of the run: contents that are still used are kept in memory."""
        for reference in list(self._in_use.values()):
            if (kept := reference()) is not None:
                kept.load()
        if os.getpid() == self._pid:
            while self._idle:
                _delete(self._idle.pop()[0])

    def note_fork(self) -> None:
        """Leave the files that are in use to whichever process uses them; called after a fork, in the parent."""
        self.forks += 1

    def _note_fork(self) -> None:
        if os.getpid() != self._pid:
            self._pid, self._idle = os.getpid(), []
            self.forks += 1

    def _refillable(self, size: int) -> str | None:
        """Return an idle file of a size that the shipper no longer needs; the latest one, which may be in the cache."""
        for entry in reversed(self._idle):
            path, found = entry
            try:
                if found == size and os.stat(path).st_nlink == 1:  # noqa: PTH116 - on the path of log()
                    self._idle.remove(entry)
                    return path
            except (OSError, ValueError):  # ValueError: another thread was faster
                continue
        return None


def _write_rest(descriptor: int, piece: Any, done: int, at: int) -> None:
    """Write what a system call has left of a piece at an offset: it writes 2 GiB at most. Raises OSError."""
    import numpy as np  # noqa: PLC0415 - runstream is imported without it

    rest = np.frombuffer(piece, np.uint8).data
    while done < len(rest):
        done += os.pwrite(descriptor, rest[done:], at + done)


def _delete(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108
