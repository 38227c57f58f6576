"""Staged files: what the training process keeps in the run folder for upload, so that it cannot change or vanish."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runstream.files.pack import Pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The ioctl that makes a file share the blocks of another one until either is changed (ioctl_ficlone(2)).
_FICLONE = 0x40049409
#: Errors of a link between file systems, or in one without links.
_NO_LINK = frozenset({errno.ENOENT, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
STAGED_NAME = "staged"


class StagedFile(NamedTuple):
    """A file in the run folder that waits for upload; ``name`` is its path relative to the run folder."""

    name: str
    size: int


class Staging:
    """The staged files of a run folder. Safe with threads and forks: names are random."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._root = f"{run_folder}/"
        self._folder = run_folder / STAGED_NAME

    def copy(self, source: Path) -> StagedFile:
        """Stage the present content of a file: its blocks are shared where the file system can do that, else copied.

        Raises OSError; a part of a copy is deleted.
        """
        with self._new() as path:
            clone_or_copy(source, path)
        return self._staged(path)

    def move(self, source: Path) -> StagedFile:
        """Stage a file that nobody else uses, by renaming it where possible; raises OSError."""
        with self._new() as path:
            shutil.move(source, path)
            path.chmod(0o600)
        return self._staged(path)

    def link(self, source: str, size: int) -> StagedFile:
        """Stage a file of the run folder that does not change, by another link where possible; raises OSError."""
        name = f"{STAGED_NAME}/{os.urandom(8).hex()}"
        try:
            os.link(source, self._root + name)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return self.copy(Path(source))
        return StagedFile(name, size)

    def write(self, *parts: bytes | memoryview) -> StagedFile:
        """Stage bytes; raises OSError, and deletes a part of them."""
        return self.write_pieces(parts)

    def write_pieces(self, pieces: Iterable[bytes | memoryview]) -> StagedFile:
        """Stage bytes that are given one piece after another; raises OSError, and deletes a part of them."""
        with self._new() as path, open(path, "xb", buffering=0, opener=_private) as file:
            for part in pieces:
                view = memoryview(part).cast("B")
                while view:
                    view = view[file.write(view) :]
        return self._staged(path)

    def new_pack(self) -> Pack:
        """Return a new pack; raises OSError."""
        return Pack(self._folder)

    def delete(self, staged: StagedFile) -> None:
        """Delete a staged file; does nothing if there is none."""
        (self._run_folder / staged.name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _new(self) -> Iterator[Path]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / secrets.token_hex(8)
        try:
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _staged(self, path: Path) -> StagedFile:
        return StagedFile(f"{STAGED_NAME}/{path.name}", path.stat().st_size)


def clone_or_copy(source: Path, target: Path) -> None:
    """Copy a file to a new one: its blocks are shared where the file system can do that; raises OSError."""
    with source.open("rb") as reader, target.open("xb") as writer:
        os.fchmod(writer.fileno(), 0o600)
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, 1024 * 1024)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
