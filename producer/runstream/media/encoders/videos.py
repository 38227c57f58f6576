"""Videos of raw frames."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from runstream.media.arrays import kept_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Codec and pixel format by file format.
_CODECS = {"mp4": ("libx264", "yuv420p"), "webm": ("libvpx-vp9", "yuv420p"), "ogg": ("libtheora", "yuv420p")}
_OTHER_CODECS = {"libx264": ("mpeg4",), "libvpx-vp9": ("libvpx",), "libtheora": ("libvpx",)}

_Frames = npt.NDArray[np.uint8]


def encode(arguments: Mapping[str, Any], source: Path, target: Path) -> None:
    """Make a video file of frames; raises whatever the libraries raise. Frames are read one after the other."""
    with source.open("rb") as file:
        frames = _tiled(file, arguments)
        if arguments["format"] == "gif":
            _write_gif(frames, target, arguments["fps"])
        else:
            _write_video(frames, target, arguments["format"], arguments["fps"])


def _tiled(file: BinaryIO, arguments: Mapping[str, Any]) -> Iterator[_Frames]:
    """Yield the frames of a batch of videos, of which each shows all videos side by side."""
    dtype, (batch, times, channels, height, width) = np.dtype(arguments["dtype"]), arguments["shape"]
    rows, columns = tiles(batch)
    videos = np.zeros((rows * columns, channels, height, width), np.uint8)
    pixels = channels * height * width
    for time in range(times):
        for number in range(batch):
            file.seek((number * times + time) * pixels * dtype.itemsize)
            with np.errstate(invalid="ignore"):
                videos[number] = kept_array(arguments, np.fromfile(file, dtype, pixels), skipped=2).astype(np.uint8)
        picture = videos.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
        picture = picture.reshape(rows * height, columns * width, channels)
        yield np.ascontiguousarray(picture.repeat(3, axis=2) if channels == 1 else picture[:, :, :3])


def tiles(batch: int) -> tuple[int, int]:
    """Return rows and columns of the videos of a batch: powers of 2."""
    count = 1 << (batch - 1).bit_length()
    rows = 2 ** ((batch.bit_length() - 1) // 2)
    return rows, count // rows


def _write_gif(frames: Iterator[_Frames], target: Path, fps: float) -> None:
    images = (Image.fromarray(frame) for frame in frames)
    next(images).save(
        target, format="GIF", save_all=True, append_images=images, duration=max(round(1000 / fps), 10), loop=0
    )


def _write_video(frames: Iterator[_Frames], target: Path, file_format: str, fps: float) -> None:
    codec, pixel_format = _CODECS[file_format]
    name = next(found for found in (codec, *_OTHER_CODECS[codec]) if _can_encode(found))
    with av.open(str(target), "w", format=file_format) as container:
        stream: Any = container.add_stream(name, rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt = pixel_format
        for number, frame in enumerate(frames):
            even = _even(frame)
            if number == 0:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())


def _can_encode(codec: str) -> bool:
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _even(frame: _Frames) -> _Frames:
    """Return a frame whose sides are even, as the codecs require: the last row or column is repeated."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
    return frame
