"""The content of a media file until it is staged: bytes in memory, or a file."""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from runstream.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runstream.files.staging import StagedFile, Staging

_CHUNK = 1024 * 1024


class Content(Protocol):
    """What a media file is made of. It can be staged more than once: a value may be logged several times."""

    def stage(self, staging: Staging) -> StagedFile:
        """Stage the content; raises OSError."""

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the content; raises OSError."""


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Content in memory."""

    data: bytes

    def stage(self, staging: Staging) -> StagedFile:
        """Stage the bytes; raises OSError."""
        return staging.write(self.data)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes."""
        yield self.data


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content that a file of the user has when it is staged."""

    path: Path

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Return the content of a regular file that can be read; raises OSError that names it."""
        if path.exists() and not (path.is_file() or path.is_dir()):  # to open a pipe would wait for its writer
            raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
        with path.open("rb"):
            return cls(path)

    def stage(self, staging: Staging) -> StagedFile:
        """Stage a copy of the file; raises OSError."""
        return staging.copy(self.path)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content of the file; raises OSError."""
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


@dataclass(frozen=True, slots=True)
class ReferenceContent:
    """Content at a URL, which an artifact refers to; a run has no such files."""

    url: str

    def stage(self, staging: Staging) -> StagedFile:
        """Raise DataError: a run has no file of this content."""
        del staging
        raise DataError(f"Cannot log {self.url!r}: download it and log the file, or add it to an artifact")

    def chunks(self) -> Iterator[bytes]:
        """Yield the URL, which stands for the content."""
        yield self.url.encode()


class MediaFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a media value consists of."""

    #: Folder within ``media/``, such as ``images``.
    folder: str
    #: Without a leading dot, such as ``png`` or ``pts.json``.
    extension: str
    content: Content
    #: How the file is made of the content: ``kind`` names an encoder of ``runstream.media.encoders``; the rest are its
    #: arguments. Empty if the content is the file.
    encode: dict[str, Any] = {}
    #: Whether a row that has the file also makes it, and the files that were added for it, a version of an artifact.
    versioned: bool = False

    def digest(self) -> str:
        """Return the SHA-256 of the content and of how it is encoded, in hex; raises OSError."""
        found = hashlib.sha256(repr(sorted(self.encode.items())).encode() if self.encode else b"")
        for chunk in self.content.chunks():
            found.update(chunk)
        return found.hexdigest()
