"""What is uploaded: the bytes of a file, read so that a change while they are read is noticed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from runstream.shipper.uploads.part_digests import part_digests

#: Bytes that are read at a time.
CHUNK = 1024 * 1024
#: Content above this size is uploaded in parts.
SINGLE_BYTES = 64 * 1024 * 1024
#: Content up to this size is kept in memory between reading and sending.
KEPT_BYTES = 16 * 1024
#: How often a file that changes while it is read is read.
ATTEMPTS = 5


class LostError(Exception):
    """A content cannot be uploaded, now or later; the message is the reason."""


class ChangedError(Exception):
    """A file was changed while it was read or uploaded."""


@dataclass(frozen=True, slots=True)
class Version:
    """What identifies the content of a file without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, file: BinaryIO | str) -> Version:
        """Return the version of an open file, or of the one at a path; raises OSError."""
        found = os.stat(file if isinstance(file, str) else file.fileno())  # noqa: PTH116
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(slots=True, kw_only=True)
class Content:
    """The bytes of a file that must be stored, and how far that is."""

    #: None if the bytes can only be in the store already, under ``sha256``.
    path: str | None
    #: What the file is for people, such as the name that the user gave.
    label: str
    #: Where it begins in a pack, with ``size`` and ``sha256``, which are then known; None for a whole file.
    offset: int | None = None
    #: Size and modification time in nanoseconds that the file must have; it is lost if it has others.
    expected: tuple[int, int] | None = None
    #: What was read; the digests are empty until then.
    sha256: bytes = b""
    md5: bytes = b""
    size: int = 0
    #: The MD5s of parts of :data:`PART_BYTES`, by number, as far as they are known.
    part_md5s: Mapping[int, bytes] = field(default_factory=dict)
    version: Version | None = None
    attempts: int = 0
    #: The bytes, if they are few, until they are stored.
    data: bytes = b""
    #: Whether the store has acknowledged the upload with the MD5.
    acknowledged: bool = False
    #: Bytes sent so far.
    sent: int = 0
    #: How often the store did not have it after an upload.
    refusals: int = 0
    stored: bool = False
    #: Why it can never be stored.
    lost: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.stored or bool(self.lost)

    @property
    def open_bytes(self) -> int:
        """Bytes that are still to be sent, as far as is known."""
        return 0 if self.settled else max(self.size - self.sent, 0)

    def open(self) -> BinaryIO:
        """Open the file; raises LostError if it is missing, unreadable, or not a regular file."""
        if self.path is None:
            raise LostError(f"{self.label} is neither in the run folder nor in the object store")
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise LostError(f"cannot read {self.label}: {error.strerror or error}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise LostError(f"cannot read {self.label}: not a regular file")
        return os.fdopen(descriptor, "rb", buffering=0)

    def read(self) -> None:
        """Compute the digests, unless they are known, or set why the content is lost.

        A file that changes meanwhile is read again.
        """
        try:
            while not self.sha256:
                self._read_once()
        except LostError as error:
            self.lost = str(error)
        except OSError as error:
            self.lost = f"cannot read {self.label}: {error.strerror or error}"

    def check(self, file: BinaryIO) -> None:
        """Raise ChangedError if the file is not the one that was read, or another one has its name by now."""
        try:
            if self.path is not None and Version.of(file) == self.version == Version.of(self.path):
                return
        except OSError:
            pass
        raise ChangedError(f"{self.label} was changed while it was uploaded")

    def forget(self) -> None:
        """Forget what was read: the file has changed. Too many changes lose the content."""
        self.sha256 = self.md5 = self.data = b""
        self.part_md5s = {}
        self.sent = 0

    def verify(self) -> None:
        """Read a content whose digest was known before it was read; it is lost if it has another one."""
        known = self.sha256
        if self.offset is not None:
            self._read_packed(self.offset)
        elif known and self.version is None:
            self.forget()
            self.read()
            if self.sha256 not in {b"", known}:
                self.lost = f"{self.label} was changed after it was added: {self.path}"

    def _read_once(self) -> None:
        self.attempts += 1
        if self.attempts > ATTEMPTS:
            raise LostError(f"{self.label} was changed each of the {ATTEMPTS} times that it was read for upload")
        with self.open() as file:
            before = Version.of(file)
            if self.expected not in {None, (before.size, before.mtime_ns)}:
                raise LostError(f"{self.label} was changed after it was added: {self.path}")
            part_md5s: Mapping[int, bytes] = {}
            if before.size <= KEPT_BYTES:
                data = file.read(before.size + 1)
                sha256, md5, size = hashlib.sha256(data).digest(), _md5(data), len(data)
            else:
                data = b""
                sha256, md5, part_md5s, size = _digests(file, before.size)
            # The path has the file that was opened, so that its version is also that of the open file.
            if size == before.size and self._is_still(before):
                self.sha256, self.md5, self.size, self.version, self.data = sha256, md5, size, before, data
                self.part_md5s = part_md5s

    def _read_packed(self, offset: int) -> None:
        try:
            with self.open() as file:
                data = os.pread(file.fileno(), self.size, offset)
        except LostError as error:
            self.lost = str(error)
        except OSError as error:
            self.lost = f"cannot read {self.label}: {error.strerror or error}"
        else:
            self.data, self.md5 = data, _md5(data)
            if hashlib.sha256(data).digest() != self.sha256:
                self.lost = f"{self.label} was changed after it was added: {self.path}"

    def _is_still(self, version: Version) -> bool:
        return self.path is not None and Version.of(self.path) == version


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _digests(file: BinaryIO, expected: int) -> tuple[bytes, bytes, Mapping[int, bytes], int]:
    """Return SHA-256, MD5, those of parts, and size of a file; what is uploaded in parts has no MD5 of its own."""
    if expected > SINGLE_BYTES:
        with part_digests(file.fileno(), expected) as part_md5s:
            sha256, size = _updated([hashlib.sha256()], file, expected)
        return sha256[0], b"", part_md5s, size
    digests, size = _updated([hashlib.sha256(), hashlib.md5(usedforsecurity=False)], file, expected)
    return digests[0], digests[1], {}, size


def _updated(digests: Sequence[hashlib._Hash], file: BinaryIO, expected: int) -> tuple[list[bytes], int]:
    """Return digests of the rest of a file, and its size."""
    size, buffer = 0, memoryview(bytearray(min(CHUNK, expected + 1)))
    while (count := file.readinto(buffer)) and size <= expected:  # type: ignore[attr-defined]
        size += count
        for digest in digests:
            digest.update(buffer[:count])
    return [digest.digest() for digest in digests], size
