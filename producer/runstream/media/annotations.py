"""What is drawn over an image: classes, boxes and masks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from runstream.media.arrays import as_array, keep_array
from runstream.media.base import Media, WBValue
from runstream.media.content import BytesContent, FileContent, MediaFile
from runstream.media.packages import require_installed
from runstream.media.pixels import validate_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runstream.media.base import MediaPlace

_Layer = TypeVar("_Layer", bound=Media)


class Classes(WBValue):
    """The classes of boxes and masks. ``class_set`` are dicts with an ``id`` and a ``name``."""

    _log_type: ClassVar[str] = "classes"

    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        for one in class_set:
            if not isinstance(one, Mapping) or not {"id", "name"} <= one.keys():
                raise ValueError(f"Invalid class {one!r}: expected a dict with 'id' and 'name'")
        self._class_set = [dict(one) for one in class_set]

    def record(self, place: MediaPlace) -> dict[str, Any]:  # noqa: ARG002 - it has no file
        """Return the dict that is recorded for this value."""
        return {"_type": self._log_type, "class_set": self._class_set}

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:  # noqa: ARG003 - it has no file
        """Return the classes that a dict in an artifact describes."""
        return cls(description["class_set"])

    def reference(self, place: MediaPlace) -> dict[str, Any]:
        """Return how an image in an artifact names its classes, which are a file of the artifact."""
        data = json.dumps({"_type": self._log_type, "class_set": self._class_set}, sort_keys=True).encode()
        digest = hashlib.sha256(data).hexdigest()
        file = MediaFile(folder="classes", extension="classes.json", content=BytesContent(data))
        path = place.add(file, f"media/classes/{digest[:32]}_cls.classes.json")
        return {"type": "classes-file", "path": path, "digest": digest}

    @property
    def names(self) -> dict[Any, str]:
        """The names of the classes by their ids."""
        return {one["id"]: one["name"] for one in self._class_set}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and self._class_set == other._class_set

    __hash__ = None  # type: ignore[assignment]


class BoundingBoxes2D(Media):
    """A set of boxes.

    Args:
        val: ``box_data`` is a list of dicts with ``position``: either ``minX, maxX, minY, maxY``, or ``middle`` (a
            pair), ``width`` and ``height``; and optionally ``class_id``, ``scores`` (numbers by name),
            ``box_caption`` and ``domain`` (``pixel``, or fractions of the image). ``class_labels``, optional, are names
            by class id.
        key: The name of the set.

    Raises:
        TypeError: A field is missing or of another type.
    """

    _log_type: ClassVar[str] = "boxes2D"

    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        boxes = _plain(val.get("box_data"))
        if not isinstance(boxes, list):
            raise TypeError(f"Invalid boxes {key!r}: box_data is a list of dicts, not {type(boxes).__name__}")
        for box in boxes:
            _validate_box(box, key)
        ids = sorted({box["class_id"] for box in boxes if "class_id" in box})
        self.class_labels = _labels(val, ids, f"boxes {key!r}")
        self._boxes = boxes
        labels = {"class_labels": _by_text(self.class_labels)} if "class_labels" in val else {}
        content = BytesContent(json.dumps({"box_data": boxes, **labels}).encode())
        super().__init__(MediaFile(folder="metadata/boxes2D", extension="boxes2D.json", content=content))

    def record(self, place: MediaPlace) -> Any:
        """Return the dict that is recorded for the boxes of an image in a row; in an artifact, they are a list."""
        return self._boxes if place.in_artifact else super().record(place)


class ImageMask(Media):
    """A mask: a class for each pixel of an image.

    Args:
        val: ``mask_data`` is an array of the shape (height, width) with integers within 0..255; ``class_labels``,
            optional, are names by class id. Or ``path``, the path of an image of the mask.
        key: The name of the mask.

    Raises:
        TypeError: A field is missing or of another type.
        OSError: The file cannot be read.
    """

    _log_type: ClassVar[str] = "mask"

    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        extension, folder = "mask.png", "images/mask"
        self._named = "class_labels" in val
        if "path" in val:
            self.class_labels = _labels(val, [], f"mask {key!r}")
            content = FileContent.existing(Path(val["path"]))
            super().__init__(MediaFile(folder=folder, extension=extension, content=content))
            return
        if "mask_data" not in val:
            raise TypeError(f"Invalid mask {key!r}: expected a dict with 'mask_data', an array of class ids, or 'path'")
        require_installed("PIL", "ImageMask")
        array = as_array(val["mask_data"])
        if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:  # noqa: PLR2004
            raise TypeError(f"Invalid mask {key!r} of shape {array.shape}: expected (height, width), with class ids")
        validate_size(array.shape[1], array.shape[0], "mask")
        if array.dtype.kind != "b" and not (array.min() >= 0 and array.max() <= 255):  # noqa: PLR2004
            raise TypeError(f"Invalid mask {key!r}: expected integers within 0..255")
        pixels, stored = keep_array(array := array.astype("uint8", copy=False), "mask")
        self.class_labels = _labels(val, [] if "class_labels" in val else _ids(array), f"mask {key!r}")
        encode = {"kind": "mask", "format": "png", **stored, "layout": "HW", "mode": "L"}
        super().__init__(MediaFile(folder=folder, extension=extension, content=pixels, encode=encode))

    def _facts(self) -> dict[str, Any]:
        return {"class_labels": _by_text(self.class_labels)} if self._named else {}


def layers_of(given: Mapping[str, Any] | None, name: str, kind: type[_Layer]) -> dict[str, _Layer]:
    """Return the boxes or masks of an image by their names; raises ValueError and TypeError."""
    if not given:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"Invalid {name}: expected a dict by name, not {type(given).__name__}")  # noqa: TRY004 - as W&B
    found = {}
    for key, value in given.items():
        if not isinstance(value, kind | Mapping):
            raise TypeError(f"Invalid {name} {key!r}: expected a dict, not {type(value).__name__}")
        found[str(key)] = value if isinstance(value, kind) else kind(value, key)  # type: ignore[arg-type]
    return found


def classes_of(given: Classes | Sequence[Mapping[str, Any]] | None, layers: Iterable[Any]) -> Classes | None:
    """Return the classes that are passed or named by boxes and masks; None if there are none."""
    found = {key: name for layer in layers for key, name in layer.class_labels.items()}
    if given is not None:
        found |= (given if isinstance(given, Classes) else Classes(given)).names
    return Classes([{"id": key, "name": name} for key, name in found.items()]) if found else None


def _labels(val: Mapping[str, Any], ids: Iterable[int], what: str) -> dict[Any, str]:
    """Return the names of classes: those given, or else generated ones."""
    if "class_labels" not in val:
        return {found: f"class_{found}" for found in ids}
    labels = val["class_labels"]
    items = labels.items() if isinstance(labels, Mapping) else [(None, None)]
    if not all(isinstance(key, Number) and isinstance(name, str) for key, name in items):
        raise TypeError(f"Invalid class_labels of {what}: expected a dict of names by number")
    return dict(items)


def _by_text(labels: Mapping[Any, str]) -> dict[str, str]:
    return {str(found): name for found, name in labels.items()}


def _ids(array: Any) -> list[int]:
    import numpy as np  # noqa: PLC0415 - runstream is imported without it

    found: list[int] = np.flatnonzero(np.bincount(array.ravel(), minlength=1)).tolist()
    return found


def _validate_box(box: Any, key: str) -> None:
    position = box.get("position") if isinstance(box, Mapping) else None
    corners, middle = ("minX", "maxX", "minY", "maxY"), ("width", "height")
    if not isinstance(position, Mapping) or not (
        _numbers(position, corners) or (_numbers(position, middle) and len(position.get("middle", ())) == 2)  # noqa: PLR2004
    ):
        raise TypeError(
            f"Invalid box in {key!r}: expected a position with {', '.join(corners)}, or with middle, width and height"
        )
    scores = box.get("scores", {})
    if not isinstance(scores, Mapping) or not all(isinstance(one, str) for one in scores):
        raise TypeError(f"Invalid scores of a box in {key!r}: expected a dict of numbers by name")
    if not _numbers(scores, scores):
        raise TypeError(f"Invalid scores of a box in {key!r}: expected numbers")
    if not isinstance(box.get("class_id", 0), int):
        raise TypeError(f"Invalid class_id of a box in {key!r}: expected an integer")
    if not isinstance(box.get("box_caption", ""), str):
        raise TypeError(f"Invalid box_caption of a box in {key!r}: expected a text")


def _numbers(values: Mapping[str, Any], names: Iterable[str]) -> bool:
    return all(isinstance(values.get(name), Number) for name in names)


def _plain(value: Any) -> Any:
    """Return a value with tensors, arrays and numpy numbers in it as lists and numbers."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.tolist() if callable(getattr(value, "tolist", None)) else value
