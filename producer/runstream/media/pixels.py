"""The pixels of images, as arrays of any library: what is checked when an image is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runstream.media.arrays import as_array, keep_array
from runstream.media.packages import module_of

if TYPE_CHECKING:
    from runstream.media.content import Content

#: Pixels of the longest side: the limit of JPEG and of Pillow.
MOST_PIXELS = 65_500
#: Pixels of an image, as in Pillow's limit against decompression bombs.
MOST_AREA = 178_956_970
#: Channels of an image, and its mode.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
#: Pixels of the shorter side of an array with the channels first: with fewer, it may be an image of wrong channels.
_LEAST_SIDES = {1: 1, 3: 4, 4: 8}
#: Images in a row of a grid, and pixels between them, as torchvision makes them.
GRID_COLUMNS, GRID_PADDING = 8, 2


class Pixels(NamedTuple):
    """Raw pixels, and the arguments of the encoder that makes an image of them."""

    content: Content
    width: int
    height: int
    arguments: dict[str, Any]


def pixels_of(data: Any, mode: str | None, normalize: bool | None) -> Pixels:  # noqa: FBT001
    """Return the pixels of an array or tensor; raises ValueError that names its shape."""
    array = as_array(data)
    tensor = array is not data and module_of(data) == "torch"
    layout, shape, (height, width, channels) = _layout(array.shape, tensor=tensor)
    content, stored = keep_array(array.reshape(shape) if shape != array.shape else array, "image")
    stored["layout"] = layout
    stored["mode"] = mode or _MODES[channels]
    # Tensors hold 0..1 by convention; arrays are recorded as they are, as in W&B.
    stored["scale"] = "range" if normalize else "unit" if tensor and normalize is None else "none"
    return Pixels(content, width, height, stored)


def validate_size(width: int, height: int, what: str) -> None:
    """Raise ValueError for an image that is empty, or too large to be shown."""
    if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS and width * height <= MOST_AREA):
        raise ValueError(
            f"Invalid {what} of {width} x {height} pixels: "
            f"expected 1 to {MOST_PIXELS} in each direction, and {MOST_AREA} at most"
        )


def _layout(shape: tuple[int, ...], *, tensor: bool) -> tuple[str, tuple[int, ...], tuple[int, int, int]]:
    """Return the meaning of the dimensions, the shape without leading ones, and height, width and channels."""
    trimmed = shape
    while len(trimmed) > 3 and trimmed[0] == 1:  # noqa: PLR2004
        trimmed = trimmed[1:]
    match trimmed:
        case (height, width):
            layout, size = "HW", (height, width, 1)
        case (count, (1 | 3 | 4) as channels, height, width) if tensor and count:
            layout, size = "NCHW", _grid(count, channels, height, width)
        case (height, width, (1 | 3 | 4) as channels) if not (tensor and trimmed[0] in _MODES):
            layout, size = "HWC", (height, width, channels)
        case ((1 | 3 | 4) as channels, height, width) if tensor or min(height, width) >= _LEAST_SIDES[channels]:
            layout, size = "CHW", (height, width, channels)
        case _:
            layout, size = "", (0, 0, 0)
    if not layout or 0 in shape:
        raise ValueError(
            f"Invalid image of shape {shape}: expected (height, width), or (height, width, channels) with 1, 3 or 4 "
            "channels; a tensor may also be (channels, height, width), or a batch of such"
        )
    validate_size(size[1], size[0], "image")
    return layout, trimmed, size


def _grid(count: int, channels: int, height: int, width: int) -> tuple[int, int, int]:
    """Return height, width and channels of the grid of a batch."""
    columns = min(count, GRID_COLUMNS)
    rows = -(-count // columns)
    across, down = columns * (width + GRID_PADDING), rows * (height + GRID_PADDING)
    return down + GRID_PADDING, across + GRID_PADDING, max(channels, 3)
