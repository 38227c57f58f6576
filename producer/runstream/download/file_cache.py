"""The cache of downloaded files: each is stored once, under the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.server.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_OBJECTS, _DRAFTS = "objects", "drafts"
#: Seconds after which the part of a file that nobody downloads any more is deleted.
_STALE_S = 24 * 3600.0
#: Seconds between checks of the size, and the part of the limit that is checked at once.
_PAUSE_S, _MUCH = 60.0, 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """What the cache holds."""

    files: int
    size: int


class FileCache:
    """Files by the SHA-256 of their content in a folder that all processes of a user share."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def path_of(self, sha256: str) -> Path:
        """Return where a file is, or would be."""
        return self.folder / _OBJECTS / sha256[:2] / sha256

    def find(self, sha256: str, size: int) -> Path | None:
        """Return a file if it is there with its content, and note the use; one that is damaged is deleted."""
        path = self.path_of(sha256)
        try:
            if path.stat().st_size == size and sha256_of(path) == sha256:
                os.utime(path)
                return path
            path.unlink()
        except OSError:
            pass
        return None

    def use(self) -> CacheUse:
        """Return the number of files and their bytes."""
        sizes = [found.st_size for _, found in self._files()]
        return CacheUse(files=len(sizes), size=sum(sizes))

    def shrink(self, limit: int, now: float | None = None) -> CacheUse:
        """Delete the files that were not used for the longest time until the rest has at most so many bytes.

        Parts of downloads and copies of drafts whose process has ended are deleted as well. Returns what was deleted.
        """
        now = time.time() if now is None else now
        found = sorted(self._files(), key=lambda item: item[1].st_mtime)
        total = sum(status.st_size for _, status in found)
        files = size = 0
        for path, status in found:
            is_stale = path.name.startswith(".") and status.st_mtime < now - _STALE_S
            if is_stale or (total - size > limit and not path.name.startswith(".")):
                with suppress(OSError):
                    path.unlink()
                    files, size = files + 1, size + status.st_size
        for folder in self._abandoned():
            shutil.rmtree(folder, ignore_errors=True)
        return CacheUse(files=files, size=size)

    def shrink_if_due(self, limit: int, added: int) -> None:
        """Shrink the cache after so many bytes were added: at most once a minute, unless they are many.

        Every time would read the whole folder for each file of a program that downloads files one by one.
        """
        mark = self.folder / "checked"
        with suppress(OSError):
            age = time.time() - mark.stat().st_mtime
            if added < limit * _MUCH and 0 <= age < _PAUSE_S:
                return
        with suppress(OSError):
            mark.touch(mode=0o600)
        self.shrink(limit)

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in (self.folder / _OBJECTS).glob("*/*"):
            with suppress(OSError):
                yield path, path.lstat()

    def _abandoned(self) -> Iterator[Path]:
        """Yield the folders of drafts of this machine whose process has ended."""
        host = socket.gethostname()
        for folder in (self.folder / _DRAFTS).glob(f"{host}-*"):
            pid = folder.name.removeprefix(f"{host}-").partition("-")[0]
            if pid.isdecimal() and not Path("/proc", pid).exists():
                yield folder


def new_draft_folder(name: str) -> Path:
    """Create a folder of this process in the cache, which ``shrink()`` deletes after its end; raises OSError."""
    folder = cache_folder() / _DRAFTS / f"{socket.gethostname()}-{os.getpid()}-{name}"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
