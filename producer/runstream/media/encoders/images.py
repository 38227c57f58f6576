"""Images and masks of raw pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from runstream.media.arrays import kept_array
from runstream.media.pixels import GRID_COLUMNS, GRID_PADDING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "bmp": "BMP"}
#: Modes that a format can store; others are converted to gray or to colors.
_STORED = {
    "JPEG": {"L", "RGB", "CMYK"},
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"},
    "BMP": {"1", "L", "P", "RGB"},
}
_GRAY = {"1", "L", "LA", "I", "I;16", "F"}
#: PNG files are made for speed: a higher level takes several times as long, and saves a few percent.
_PNG_LEVEL = 3

_Pixels = npt.NDArray[Any]


def encode(arguments: Mapping[str, Any], source: Path, target: Path) -> None:
    """Make an image file of raw pixels; raises whatever Pillow raises."""
    image = _of_pillow(arguments, source) if "pillow" in arguments else _of_array(arguments, source)
    file_format = _FORMATS[arguments["format"]]
    if image.mode not in _STORED[file_format]:
        deep = image.mode == "I" and "I;16" in _STORED[file_format]
        image = image.convert("I;16" if deep else "L" if image.mode in _GRAY else "RGB")
    options: dict[str, Any] = {"compress_level": _PNG_LEVEL} if file_format == "PNG" else {}
    image.save(target, format=file_format, **options)


def _of_pillow(arguments: Mapping[str, Any], source: Path) -> Image.Image:
    """Return an image that Pillow had in memory."""
    size = (arguments["size"][0], arguments["size"][1])
    image = Image.frombytes(arguments["pillow"], size, source.read_bytes())
    if palette := arguments.get("palette"):
        image.putpalette(bytes.fromhex(palette), arguments["palette_mode"])
    return image


def _of_array(arguments: Mapping[str, Any], source: Path) -> Image.Image:
    pixels = kept_array(arguments, np.fromfile(source, dtype=np.dtype(arguments["dtype"])))
    pixels = as_bytes(pixels, arguments.get("scale", "none"))
    layout = arguments["layout"]
    if layout == "NCHW":
        pixels = grid(pixels)
    elif layout == "CHW":
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:  # noqa: PLR2004
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return image if image.mode == arguments["mode"] else image.convert(arguments["mode"])


def as_bytes(pixels: _Pixels, scale: str) -> npt.NDArray[np.uint8]:
    """Return pixels as bytes.

    With the scale ``unit``, floats within 0..1 are spread over the bytes; with ``range``, also numbers below 0 and, of
    arrays that have such, their whole range. With ``none`` the numbers are cut to bytes.
    """
    if pixels.dtype == np.uint8:
        return pixels
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if scale != "none" and pixels.dtype.kind == "b":
            return pixels.astype(np.uint8) * 255
        if scale == "range" or (scale == "unit" and pixels.dtype.kind == "f"):
            values = np.nan_to_num(pixels.astype(np.float64))
            least = values.min()
            if scale == "range" and least < 0:
                values = (values - least) / (np.ptp(values) or 1)
            if least >= 0 or scale == "range":
                values = values * 255 if values.max() <= 1 else values
            return values.clip(0, 255).astype(np.uint8)
        return pixels.astype(np.uint8)


def grid(batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a batch of images side by side, as torchvision's ``make_grid``; gray ones become colored."""
    count, channels, height, width = batch.shape
    batch = batch.transpose(0, 2, 3, 1)
    if channels == 1:
        batch = batch.repeat(3, axis=3)
    columns = min(count, GRID_COLUMNS)
    rows = -(-count // columns)
    high, wide = height + GRID_PADDING, width + GRID_PADDING
    found = np.zeros((rows * high + GRID_PADDING, columns * wide + GRID_PADDING, batch.shape[3]), np.uint8)
    for number, image in enumerate(batch):
        row, column = divmod(number, columns)
        top, left = row * high + GRID_PADDING, column * wide + GRID_PADDING
        found[top : top + height, left : left + width] = image
    return found
