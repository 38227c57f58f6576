"""Images as values to log."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from runstream.media import figures
from runstream.media.annotations import BoundingBoxes2D, Classes, ImageMask, classes_of, layers_of
from runstream.media.arrays import keep_bytes
from runstream.media.base import BatchableMedia, captions_of, downloaded
from runstream.media.content import BytesContent, FileContent, MediaFile, ReferenceContent
from runstream.media.packages import module_of, require, require_installed
from runstream.media.pixels import MOST_PIXELS, Pixels, pixels_of, validate_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runstream.media.base import MediaPlace

_FILE_TYPES = ("png", "jpg", "jpeg", "bmp")
#: File name extensions by the name of a format in Pillow.
_EXTENSIONS = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


class Image(BatchableMedia):
    """An image, with captions, boxes and masks. It is encoded by the shipper.

    Args:
        data_or_path: An array of the shape (height, width) or (height, width, channels) with 1, 3 or 4 channels, or
            (channels, height, width); a tensor of one of these shapes, or a batch of them, which becomes a grid; an
            image of Pillow; a figure of matplotlib; the path of an image file; the bytes of one, or an open file; or
            the URL of one, for artifacts.
        mode: Mode of Pillow to which the pixels are converted, such as L, RGB, RGBA.
        caption: A text below the image.
        grouping: Number of the group that the image belongs to.
        classes: The classes of boxes and masks: dicts with ``id`` and ``name``.
        boxes: Sets of boxes by name, see :class:`BoundingBoxes2D`.
        masks: Masks by name, see :class:`ImageMask`.
        file_type: ``png``, ``jpg`` or ``bmp``, for arrays, images of Pillow and figures.
        normalize: Whether numbers within 0..1 are spread over 0..255, and negative ones shifted. By default, this is
            done for tensors of floats within 0..1 only: other numbers are expected to be within 0..255.

    Raises:
        ValueError: The shape, the file type, boxes or masks are invalid, or the image is too large.
        TypeError: A box or a mask has a field of an invalid type.
        OSError: The file is missing, or not an image.
        Error: Pillow is not installed.
    """

    MAX_ITEMS = 108
    MAX_DIMENSION = MOST_PIXELS
    _log_type: ClassVar[str] = "image-file"

    def __init__(  # noqa: PLR0917 - the signature of W&B
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Classes | Sequence[Mapping[str, Any]] | None = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool | None = None,  # noqa: FBT001
    ) -> None:
        if file_type and file_type not in _FILE_TYPES:
            raise ValueError(f"Invalid file_type {file_type!r}: expected one of {', '.join(_FILE_TYPES)}")
        self.format = file_type or "png"
        self._width = self._height = 0
        self._grouping = grouping
        self._classes: Classes | None = None
        super().__init__(self._file_of(data_or_path, mode, normalize), caption)
        if isinstance(data_or_path, Image):
            self._take_over(data_or_path)
        self._boxes: dict[str, BoundingBoxes2D] = {}
        self._masks: dict[str, ImageMask] = {}
        if boxes or masks or classes is not None:
            self._boxes = layers_of(boxes, "boxes", BoundingBoxes2D)
            self._masks = layers_of(masks, "masks", ImageMask)
            self._classes = classes_of(classes, [*self._boxes.values(), *self._masks.values()]) or self._classes

    @property
    def image(self) -> Any:
        """The image as one of Pillow; None for a URL."""
        from runstream.media.encoded import encoded_bytes  # noqa: PLC0415 - for readers of their own images

        if isinstance(self._file.content, ReferenceContent):
            return None
        image = require("PIL.Image", "Image").open(io.BytesIO(encoded_bytes(self._file)))
        image.load()
        return image

    def record(self, place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for this value; its files are added to a place. Raises OSError."""
        found = super().record(place)
        if place.in_artifact and (self._boxes or self._masks) and self._classes is None:
            raise ValueError("Invalid image: in an artifact, one with boxes or masks needs the argument classes")
        if place.in_artifact and self._classes is not None:
            found["classes"] = self._classes.reference(place)
        for name, layers in (("boxes", self._boxes), ("masks", self._masks)):
            if layers:
                found[name] = {key: layer.record(place) for key, layer in layers.items()}
        return found

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the image that a dict in an artifact describes, with boxes and masks; files are downloaded."""
        classes = description.get("classes")
        masks = {
            key: {
                "path": downloaded(mask, artifact),
                "class_labels": _by_number(mask.get("class_labels", {})),
            }
            for key, mask in description.get("masks", {}).items()
        }
        return cls(
            downloaded(description, artifact),
            caption=description.get("caption"),
            grouping=description.get("grouping"),
            classes=None if classes is None else json.loads(downloaded(classes, artifact).read_bytes())["class_set"],
            boxes={key: _boxes_of(boxes, artifact) for key, boxes in description.get("boxes", {}).items()},
            masks=masks,
        )

    @classmethod
    def record_list(cls, items: Sequence[Image], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of images; raises OSError."""
        recorded = [item.record(place) for item in items]
        first, captions = recorded[0], captions_of(items)
        found: dict[str, Any] = {name: first[name] for name in ("width", "height") if name in first}
        found |= {"_type": "images/separated", "format": first["format"], "count": len(items)}
        found |= {"filenames": [one["path"] for one in recorded], **({"captions": captions} if captions else {})}
        for name in ("masks", "boxes"):
            if any(name in one for one in recorded):
                found[f"all_{name}"] = [one.get(name) for one in recorded]
        return found

    def _facts(self) -> dict[str, Any]:
        size = {"width": self._width, "height": self._height} if self._width else {}
        return {"format": self.format, **size, **({"grouping": self._grouping} if self._grouping else {})}

    def _take_over(self, other: Image) -> None:
        """Have what another image has and this one was not passed, other than boxes and masks."""
        for name in ("format", "_width", "_height", "_classes"):
            setattr(self, name, getattr(other, name))
        self._grouping = self._grouping or other._grouping
        self._caption = other._caption if self._caption is None else self._caption

    def _file_of(self, data: Any, mode: str | None, normalize: bool | None) -> MediaFile:  # noqa: FBT001
        if type(data).__name__ in {"ndarray", "Tensor"}:  # first, as the most frequent
            return self._of_pixels(_pixels_of_array(data, mode, normalize))
        if isinstance(data, Image):
            return data._file  # noqa: SLF001 - of this class
        if isinstance(data, str) and "://" in data[:10]:
            self.format = os.path.splitext(data.partition("?")[0])[1].lstrip(".").lower() or "png"  # noqa: PTH122
            return MediaFile(folder="images", extension=self.format, content=ReferenceContent(data))
        if isinstance(data, str | os.PathLike):
            return self._of_path(Path(data))
        if isinstance(data, bytes | bytearray | io.IOBase):
            return self._of_bytes(data)
        return self._of_pixels(_pixels_of(data, mode, normalize))

    def _of_pixels(self, pixels: Pixels) -> MediaFile:
        self._width, self._height = pixels.width, pixels.height
        pixels.arguments.update(kind="image", format=self.format)
        return MediaFile(folder="images", extension=self.format, content=pixels.content, encode=pixels.arguments)

    def _of_path(self, path: Path) -> MediaFile:
        content = FileContent.existing(path)
        self._read_header(path, f"image {str(path)!r}")
        self.format = path.suffix[1:] or self.format
        return MediaFile(folder="images", extension=self.format, content=content)

    def _of_bytes(self, data: Any) -> MediaFile:
        if not isinstance(data, bytes | bytearray):
            if data.seekable():
                data.seek(0)
            data = data.read()
        self.format = self._read_header(io.BytesIO(data), "image")
        return MediaFile(folder="images", extension=self.format, content=BytesContent(bytes(data)))

    def _read_header(self, source: Any, what: str) -> str:
        """Set width and height from the header of a file, and return its extension; the pixels are not decoded."""
        pillow = require("PIL.Image", "Image")
        try:
            with pillow.open(source) as image:
                self._width, self._height = image.size
                found = str(image.format)
        except pillow.DecompressionBombError as error:
            raise ValueError(f"Invalid {what}: {error}") from None
        validate_size(self._width, self._height, what)
        return _EXTENSIONS.get(found, found.lower())


def _boxes_of(boxes: Any, artifact: Any) -> Any:
    """Return the boxes of a description: in an artifact they are in it, in a run in a file of their own."""
    if "path" not in boxes:
        return {"box_data": boxes}
    found = json.loads(downloaded(boxes, artifact).read_bytes())
    return {**found, "class_labels": _by_number(found.get("class_labels", {}))}


def _by_number(labels: Mapping[str, str]) -> dict[int, str]:
    return {int(number): name for number, name in labels.items()}


def _pixels_of(data: Any, mode: str | None, normalize: bool | None) -> Pixels:  # noqa: FBT001
    """Return the pixels of a figure of matplotlib, an image of Pillow, or what can be read as an array."""
    if module_of(data) == "matplotlib":
        return _pixels_of_pillow(figures.drawn(data))
    if hasattr(data, "tobytes") and hasattr(data, "mode") and not hasattr(data, "shape"):  # as numpy.memmap
        return _pixels_of_pillow(data)
    return _pixels_of_array(data, mode, normalize)


def _pixels_of_array(data: Any, mode: str | None, normalize: bool | None) -> Pixels:  # noqa: FBT001
    """Return the pixels of an array or tensor, which the shipper encodes with Pillow."""
    require_installed("PIL", "Image")
    if mode is not None and mode not in require("PIL.Image", "Image").MODES:
        raise ValueError(f"Invalid mode {mode!r}: expected a mode of Pillow, such as L, RGB or RGBA")
    return pixels_of(data, mode, normalize)


def _pixels_of_pillow(image: Any) -> Pixels:
    """Return the pixels of an image of Pillow, in its mode."""
    validate_size(image.width, image.height, "image")
    palette = image.getpalette("RGBA" if "transparency" in image.info else "RGB") if image.mode == "P" else None
    arguments = {"pillow": image.mode, "size": [*image.size]}
    if palette is not None:
        arguments |= {
            "palette": bytes(palette).hex(),
            "palette_mode": "RGBA" if "transparency" in image.info else "RGB",
        }
    return Pixels(keep_bytes(image.tobytes()), image.width, image.height, arguments)
