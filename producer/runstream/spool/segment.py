"""One segment file: its space is reserved before it is mapped, or it is written with ``pwrite`` where that fails."""

from __future__ import annotations

import contextlib
import errno
import os
import zlib
from pathlib import Path
from typing import Protocol

from runstream.descriptors import KeptFile, Mapping
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


class DamagedSegmentError(OSError):
    """The file of a segment that is in use was truncated: what it held is lost, and it cannot be used any more."""


class Segment:
    """A segment that one process writes.

    The file is created under a temporary name, the draft, and renamed by :meth:`publish`, so that readers only see
    complete segments. The mapping and the descriptor are released with the last reference, never earlier: an
    interrupted append may still use them. ``words`` are the same bytes as ``bytes``. OSError is raised where the disk
    is full, a quota or a limit of the process is reached, or the folder was removed.
    """

    def __init__(self, draft: Path, size: int, writer: bytes, file: KeptFile | None, mapping: Mapping | None) -> None:
        self.number = -1
        self.size = size
        self.mapped = file is None or mapping is not None
        self.bytes: Bytes = bytearray()
        self.words: Words = memoryview(bytearray()).cast("I")
        if mapping is not None:
            self.bytes, self.words = mapping.memory, memoryview(mapping.memory).cast("I")
        elif file is not None:
            self.bytes = FileBytes(file)
            self.words = FileWords(self.bytes)
        self._may_grow = mapping is not None
        #: Whether the file has its final name.
        self.published = False
        self._file = file
        self._mapping = mapping
        self._disconnected = False
        self._draft = draft
        self._writer = writer

    @classmethod
    def create(cls, draft: Path, size: int, writer: bytes, *, mapped: bool = True) -> Segment:
        """Create the file of a segment and reserve its space, a multiple of 8 bytes; map it if that succeeded."""
        file = KeptFile.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            reserved = reserve(file.descriptor, 0, size)
            if not (mapped and reserved):
                if not reserved:
                    clear(file.descriptor, 0, size)
                return cls(draft, size, writer, file, None)
            mapping = Mapping(file.descriptor, size)
            populate(file.descriptor, mapping, 0)
            return cls(draft, size, writer, file, mapping)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    @classmethod
    def empty(cls, number: int) -> Segment:
        """Return a segment without a file or room, for a writer that appends no more."""
        segment = cls(Path(), 0, b"", None, None)
        segment.number, segment.published = number, True
        return segment

    def grown(self, more: int) -> Segment:
        """Return the same segment with more bytes; raises OSError, also if the file was deleted.

        For a folder in which this process cannot create files any more: it was moved, its user may not, or the process
        has as many descriptors as it may; then the segment is not mapped any more.
        """
        file, size = self._file, self.size + more
        if file is None or not self._may_grow or not file.intact or not self.published or self.deleted or self.shrunk:
            raise OSError(errno.ENOENT, "the segment cannot grow")
        if not reserve(file.descriptor, self.size, more):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        mapping = None
        with contextlib.suppress(OSError):
            mapping = Mapping(file.descriptor, size)
            populate(file.descriptor, mapping, self.size)
        segment = Segment(self._draft, size, self._writer, file, mapping)
        segment.number, segment.published, segment._may_grow = self.number, True, True
        return segment

    @property
    def shrunk(self) -> bool:
        """Whether the file was truncated, so that a store would end the process by SIGBUS."""
        return self._mapping is not None and self._mapping.shrunk

    @property
    def deleted(self) -> bool:
        """Whether the file was deleted; False if that is not known."""
        return self._file is not None and self._file.intact and os.fstat(self._file.descriptor).st_nlink == 0

    def assign(self, number: int, order: int) -> None:
        """Write the header, with the order of the first record; called before the segment is used."""
        self.number = number
        header = SEGMENT_HEADER.pack(SEGMENT_MAGIC, number, 0, self.size, order, self._writer)
        self.bytes[0 : len(header)] = header

    def move(self, folder: Path) -> None:
        """Note that the folder was renamed."""
        self._draft = folder / self._draft.name

    def publish(self) -> None:
        """Rename the file to its final name, unless that was done before."""
        try:
            self._draft.rename(self._path)
        except FileNotFoundError:
            if not self._path.exists():
                raise
        self.published = True

    def restore(self, stop: int) -> None:
        """Create the file, which was deleted, again with the bytes up to ``stop``."""
        if self._mapping is not None and self.deleted and not self.shrunk:
            descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                write_fully(descriptor, self._mapping.memory[:stop], 0)
            finally:
                os.close(descriptor)
            self._draft.rename(self._path)

    @property
    def _path(self) -> Path:
        return self._draft.with_name(f"{self.number:08d}.seg")

    def store(self, start: int, body: bytes) -> None:
        """Store a record, without length and CRC, at an offset; storing the same record there again changes nothing."""
        if self.shrunk:
            raise DamagedSegmentError(errno.EIO, f"the file of segment {self.number} was truncated")
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


def reserve(descriptor: int, first: int, size: int) -> bool:
    """Reserve the space of a part of a file; return False if its file system cannot do that."""
    try:
        # In parts: where signals keep arriving, a file system may never complete a large request.
        for start in range(first, first + size, _CHUNK):
            os.posix_fallocate(descriptor, start, min(_CHUNK, first + size - start))
    except OSError as error:
        if error.errno in _CANNOT_RESERVE:
            return False
        raise
    return True


def populate(descriptor: int, mapping: Mapping, first: int) -> None:
    """Load the pages of a reserved file from a byte on into memory, writable, so that no append waits for a page fault.

    Written zeros make a page fault ten times cheaper than reserved space does, because the file system need not convert
    the space page by page.
    """
    clear(descriptor, first, len(mapping.memory))
    with contextlib.suppress(OSError, ValueError):  # kernels before 5.14 load the pages one by one
        mapping.memory.madvise(_MADV_POPULATE_WRITE)


def clear(descriptor: int, first: int, stop: int) -> None:
    """Write zeros to a part of a file, which occupies its space on most file systems."""
    zeros = bytes(min(stop - first, _CHUNK))
    for start in range(first, stop, _CHUNK):
        write_fully(descriptor, zeros[: stop - start], start)


def write_fully(descriptor: int, data: bytes, offset: int) -> None:
    """Write all bytes at an offset of a file; raise OSError (ENOSPC) if the file system accepts no more."""
    while data:
        if (written := os.pwrite(descriptor, data, offset)) == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        data, offset = data[written:], offset + written


class FileBytes:
    """Stores slices in a file that is not mapped."""

    def __init__(self, file: KeptFile) -> None:
        self._file = file

    def __setitem__(self, where: slice, data: bytes) -> None:
        if not self._file.intact:
            raise OSError(errno.EBADF, "the program has closed the descriptor of the segment")
        write_fully(self._file.descriptor, data, where.start)

    def disconnect(self) -> None:
        """Let writes have no effect: an append that was interrupted may still write."""
        self._file.redirect(os.devnull)


class FileWords:
    """Stores 32-bit words in a file that is not mapped."""

    def __init__(self, data: FileBytes) -> None:
        self._data = data

    def __setitem__(self, index: int, value: int) -> None:
        self._data[index * 4 : index * 4 + 4] = value.to_bytes(4, "little")
