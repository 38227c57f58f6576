"""One segment file: its space is reserved before it is mapped, or it is written with ``pwrite`` where that fails."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import zlib
from pathlib import Path
from typing import Protocol

from runstream.spool.format import CRC_START, SEGMENT_HEADER, SEGMENT_MAGIC

#: From Linux's headers; the mmap module does not define it.
_MADV_POPULATE_WRITE = 23
_CHUNK = 256 * 1024
#: Errors by which a file system reports that it cannot reserve space, as opposed to having none left.
_CANNOT_RESERVE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EPERM}


class Bytes(Protocol):
    """The bytes of a segment; slices can be stored."""

    def __setitem__(self, where: slice, data: bytes, /) -> None: ...


class Words(Protocol):
    """The 32-bit words of a segment, by index."""

    def __setitem__(self, index: int, value: int, /) -> None: ...


class Segment:
    """A segment that one process writes.

    The file is created under a temporary name, the draft, and renamed by :meth:`publish`, so that readers only see
    complete segments. The mapping or descriptor is released with the last reference, never earlier: an interrupted
    append may still use it. ``words`` are the same bytes as ``data``. OSError is raised where the disk is full, a quota
    or a limit of the process is reached, or the folder was removed.
    """

    def __init__(self, draft: Path, size: int, writer: bytes, data: Bytes, words: Words) -> None:
        self.number = -1
        self.size = size
        self.bytes = data
        self.words = words
        self.mapped = not isinstance(data, FileBytes)
        #: Whether the file has its final name.
        self.published = False
        self._disconnected = False
        self._draft = draft
        self._writer = writer

    @classmethod
    def create(cls, draft: Path, size: int, writer: bytes, *, mapped: bool = True) -> Segment:
        """Create the file of a segment and reserve its space, a multiple of 8 bytes; map it if that succeeded."""
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            reserved = reserve(descriptor, size)
            if mapped and reserved:
                memory = mmap.mmap(descriptor, size)
                populate(descriptor, memory)
                return cls(draft, size, writer, memory, memoryview(memory).cast("I"))
            if not reserved:
                clear(descriptor, size)
            file = FileBytes(descriptor)
            return cls(draft, size, writer, file, FileWords(file))
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    @classmethod
    def empty(cls, number: int) -> Segment:
        """Return a segment without a file or room, for a writer that appends no more."""
        segment = cls(Path(), 0, b"", bytearray(), memoryview(bytearray()).cast("I"))
        segment.number, segment.published = number, True
        return segment

    def assign(self, number: int, order: int) -> None:
        """Write the header, with the order of the first record; called before the segment is used."""
        self.number = number
        header = SEGMENT_HEADER.pack(SEGMENT_MAGIC, number, 0, self.size, order, self._writer)
        self.bytes[0 : len(header)] = header

    def publish(self) -> None:
        """Rename the file to its final name, unless that was done before."""
        path = self._draft.with_name(f"{self.number:08d}.seg")
        try:
            self._draft.rename(path)
        except FileNotFoundError:
            if not path.exists():
                raise
        self.published = True

    def store(self, start: int, body: bytes) -> None:
        """Store a record, without length and CRC, at an offset; storing the same record there again changes nothing."""
        end = start + CRC_START + len(body)
        self.bytes[start + CRC_START : end] = body
        self.words[(start >> 2) + 1] = zlib.crc32(body)
        self.words[start >> 2] = end - start
        if self._disconnected:
            raise OSError(errno.EIO, "the segment could not be written")

    def disconnect(self) -> None:
        """Make every later store fail, and without an effect on the file: the segment could not be written."""
        self._disconnected = True
        if not self.published:
            self._draft.unlink(missing_ok=True)
        if isinstance(self.bytes, FileBytes):
            self.bytes.disconnect()


def reserve(descriptor: int, size: int) -> bool:
    """Reserve the space of a file; return False if its file system cannot do that."""
    try:
        # In parts: where signals keep arriving, a file system may never complete a large request.
        for start in range(0, size, _CHUNK):
            os.posix_fallocate(descriptor, start, min(_CHUNK, size - start))
    except OSError as error:
        if error.errno in _CANNOT_RESERVE:
            return False
        raise
    return True


def populate(descriptor: int, mapped: mmap.mmap) -> None:
    """Load every page of a reserved file into memory, writable, so that no append waits for a page fault.

    Written zeros make a page fault ten times cheaper than reserved space does, because the file system need not convert
    the space page by page.
    """
    clear(descriptor, len(mapped))
    with contextlib.suppress(OSError, ValueError):  # kernels before 5.14 load the pages one by one
        mapped.madvise(_MADV_POPULATE_WRITE)


def clear(descriptor: int, size: int) -> None:
    """Write zeros to a file, which occupies its space on most file systems."""
    zeros = bytes(min(size, _CHUNK))
    for start in range(0, size, _CHUNK):
        write_fully(descriptor, zeros[: size - start], start)


def write_fully(descriptor: int, data: bytes, offset: int) -> None:
    """Write all bytes at an offset of a file; raise OSError (ENOSPC) if the file system accepts no more."""
    while data:
        if (written := os.pwrite(descriptor, data, offset)) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data, offset = data[written:], offset + written


class FileBytes:
    """Stores slices in a file that is not mapped, through a duplicate of its descriptor."""

    descriptor = -1

    def __init__(self, descriptor: int) -> None:
        self.descriptor = os.dup(descriptor)

    def __setitem__(self, where: slice, data: bytes) -> None:
        write_fully(self.descriptor, data, where.start)

    def disconnect(self) -> None:
        """Let the descriptor refer to the null device: an append that was interrupted may still write to it."""
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, self.descriptor, inheritable=False)
        os.close(null)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class FileWords:
    """Stores 32-bit words in a file that is not mapped."""

    def __init__(self, file: FileBytes) -> None:
        self._file = file

    def __setitem__(self, index: int, value: int) -> None:
        write_fully(self._file.descriptor, value.to_bytes(4, "little"), index * 4)
