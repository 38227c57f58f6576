"""One segment file: reserved on disk before it is mapped, or written through where it cannot be reserved."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import tempfile
from pathlib import Path
from typing import Protocol

from runstream.spool.format import SEGMENT_HEADER, SEGMENT_MAGIC

#: Linux; the mmap module does not name it.
_MADV_POPULATE_WRITE = 23
_AT_ONCE = 256 * 1024
#: What says that a file system cannot reserve space, and not that there is none.
_CANNOT_RESERVE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EPERM}


class Bytes(Protocol):
    """The bytes of a segment, as far as a writer needs them: slices are stored."""

    def __setitem__(self, where: slice, data: bytes, /) -> None: ...

    def __getitem__(self, where: slice, /) -> bytes: ...


class Words(Protocol):
    """The 32-bit words of a segment, by index."""

    def __setitem__(self, index: int, value: int, /) -> None: ...


class Segment:
    """A segment that one process writes.

    The file gets its name by :meth:`publish`, when its space is reserved and its header is written: whoever sees it
    sees a whole one, and a segment that found no room leaves nothing behind.

    Args:
        folder: The writer's folder.
        number: Number of the segment.
        size: Bytes to reserve, a multiple of 8.
        order: Order of the first record.
        writer: Id of the writer.
        mapped: Map the file; False writes to it, as is done where its space cannot be reserved.

    Raises:
        OSError: The disk is full, a quota or a limit of the process is reached, or the folder is gone.
    """

    def __init__(self, folder: Path, number: int, size: int, order: int, writer: bytes, *, mapped: bool = True) -> None:
        self.number = number
        self.size = size
        self.bytes: Bytes
        self.words: Words
        self._path = folder / f"{number:08d}.seg"
        header = SEGMENT_HEADER.pack(SEGMENT_MAGIC, number, 0, size, order, writer)
        descriptor, draft = tempfile.mkstemp(suffix=".new", dir=folder)
        self._draft = Path(draft)
        self._descriptor = -1
        try:
            if mapped and reserve(descriptor, size):
                memory = mmap.mmap(descriptor, size)
                populate(descriptor, memory)
                memory[: len(header)] = header
                self.bytes, self.words = memory, memoryview(memory).cast("I")
            else:
                os.pwrite(descriptor, header, 0)
                self._descriptor = os.dup(descriptor)
                self.bytes, self.words = FileBytes(self._descriptor), FileWords(self._descriptor)
        except BaseException:
            self._draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def publish(self) -> None:
        """Give the file its name; a second call does nothing.

        Raises:
            OSError: The folder is gone.
        """
        try:
            self._draft.rename(self._path)
        except FileNotFoundError:
            if not self._path.exists():
                raise

    def discard(self) -> None:
        """Remove a segment that was not published."""
        self._draft.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the map or the file."""
        if isinstance(self.words, memoryview):
            self.words.release()
        if isinstance(self.bytes, mmap.mmap):
            self.bytes.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def reserve(descriptor: int, size: int) -> bool:
    """Reserve the space of a file; False when its file system cannot.

    Raises:
        OSError: There is no space.
    """
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in _CANNOT_RESERVE:
            return False
        raise
    return True


def populate(descriptor: int, mapped: mmap.mmap) -> None:
    """Have every page of a reserved file in memory and writable before the first store to it.

    Else every 15th log() would wait for a page fault. Written zeros make a fault an order of magnitude cheaper than
    reserved space does, since the file system need not convert it one page at a time.

    Raises:
        OSError: There is no space after all.
    """
    zeros = bytes(min(len(mapped), _AT_ONCE))
    for start in range(0, len(mapped), _AT_ONCE):
        os.pwrite(descriptor, zeros[: len(mapped) - start], start)
    with contextlib.suppress(OSError, ValueError):  # kernels before 5.14 fault the pages in one by one
        mapped.madvise(_MADV_POPULATE_WRITE)


class FileBytes:
    """Stores and loads slices of a file that is not mapped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __setitem__(self, where: slice, data: bytes) -> None:
        written = os.pwrite(self._descriptor, data, where.start)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __getitem__(self, where: slice) -> bytes:
        return os.pread(self._descriptor, where.stop - where.start, where.start)


class FileWords:
    """Stores 32-bit words of a file that is not mapped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __setitem__(self, index: int, value: int) -> None:
        os.pwrite(self._descriptor, value.to_bytes(4, "little"), index * 4)
