"""Encoding of a media file in this process: for who reads a value back, and for artifacts that are built here."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.media.encoders import encode

if TYPE_CHECKING:
    from runstream.media.content import MediaFile


def encoded_bytes(file: MediaFile) -> bytes:
    """Return the content of a media file as it is uploaded; raises OSError, and EncodeError."""
    content = b"".join(file.content.chunks())
    if not file.encode:
        return content
    with tempfile.TemporaryDirectory(prefix="runstream-") as folder:
        source, target = Path(folder) / "source", Path(folder) / f"target.{file.extension}"
        source.write_bytes(content)
        encode(file.encode, source, target)
        return target.read_bytes()
