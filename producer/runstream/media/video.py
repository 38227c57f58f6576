"""Videos as values to log."""

from __future__ import annotations

import io
import os
import warnings
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runstream.media.arrays import as_array, keep_array
from runstream.media.base import BatchableMedia, captions_of
from runstream.media.content import BytesContent, FileContent, MediaFile
from runstream.media.packages import require_installed
from runstream.media.pixels import validate_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream.media.base import MediaPlace
    from runstream.media.content import Content

_DIMENSIONS = (4, 5)
_CHANNELS = (1, 3, 4)


class Video(BatchableMedia):
    """A video. Frames in an array are encoded by the shipper.

    Args:
        data_or_path: An array of the shape (time, channels, height, width), or (batch, time, channels, height, width)
            for videos side by side, with numbers within 0..255; the path of a file; or an open binary file.
        caption: A text below the video.
        fps: Frames per second of an array; 4 by default.
        format: ``gif``, ``mp4``, ``webm`` or ``ogg``; ``gif`` by default for arrays, required for open files.

    Raises:
        ValueError: The format is missing or unknown, or the shape is invalid.
        OSError: The file cannot be read.
        Error: PyAV or Pillow is not installed, which encode arrays.
    """

    EXTS = ("gif", "mp4", "webm", "ogg")
    _log_type: ClassVar[str] = "video-file"

    def __init__(
        self,
        data_or_path: Any,
        caption: str | None = None,
        fps: float | None = None,
        format: str | None = None,  # noqa: A002 - the signature of W&B
    ) -> None:
        self._size: dict[str, int] = {}
        if isinstance(data_or_path, str | os.PathLike):
            path = Path(data_or_path)
            kind = _format(path.suffix[1:].lower(), f"the name of {str(path)!r}")
            file = MediaFile(folder="videos", extension=kind, content=FileContent.existing(path))
        elif isinstance(data_or_path, bytes | io.IOBase):
            file = MediaFile(folder="videos", extension=_format(format), content=_read(data_or_path))
        else:
            kind = _format("gif" if format is None else format)
            file = self._of_array(data_or_path, kind, 4 if fps is None else fps)
            fps = None
        if fps:
            warnings.warn("Video(fps=...) is ignored: the frame rate of a file is not changed", stacklevel=2)
        super().__init__(file, caption)

    @classmethod
    def record_list(cls, items: Sequence[Video], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of videos; raises OSError."""
        videos = [item.record(place) for item in items]
        return {"_type": "videos", "count": len(items), "videos": videos, "captions": captions_of(items) or False}

    def _facts(self) -> dict[str, Any]:
        return self._size

    def _of_array(self, data: Any, kind: str, fps: float) -> MediaFile:
        require_installed("PIL" if kind == "gif" else "av", "Video")
        if not isinstance(fps, Real) or not 0 < fps <= 1000:  # noqa: PLR2004
            raise ValueError(f"Invalid fps {fps!r}: expected a number above 0, and 1000 at most")
        array = as_array(data)
        if array.ndim not in _DIMENSIONS or 0 in array.shape or array.shape[-3] not in _CHANNELS:
            raise ValueError(
                f"Invalid video of shape {array.shape}: expected (time, channels, height, width) or "
                "(batch, time, channels, height, width) with 1, 3 or 4 channels"
            )
        array = array.reshape((1, *array.shape)[-5:])
        batch, _, _, height, width = array.shape
        rows = 2 ** ((batch.bit_length() - 1) // 2)
        columns = (1 << (batch - 1).bit_length()) // rows
        self._size = {"width": columns * width, "height": rows * height}
        validate_size(self._size["width"], self._size["height"], "video")
        content, stored = keep_array(array, "video", fixed=2)
        encode = {"kind": "video", "format": kind, **stored, "fps": fps}
        return MediaFile(folder="videos", extension=kind, content=content, encode=encode)


def _format(name: str | None, where: str = "the argument format") -> str:
    if name not in Video.EXTS:
        raise ValueError(f"Invalid format {name!r} of a video in {where}: expected one of {', '.join(Video.EXTS)}")
    return str(name)


def _read(data: Any) -> Content:
    if not isinstance(data, bytes):
        data = data.read()
    if not isinstance(data, bytes):
        raise ValueError("Invalid video: expected a file that is open in binary mode")  # noqa: TRY004 - as W&B
    return BytesContent(data)
