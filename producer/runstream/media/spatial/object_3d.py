"""Point clouds and three-dimensional models as values to log."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Self

from runstream.media.arrays import as_array
from runstream.media.base import BatchableMedia
from runstream.media.content import BytesContent, MediaFile
from runstream.media.spatial.model_files import content_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream.media.base import MediaPlace

_SCENE = "lidar/beta"
_COLUMNS = (3, 4, 6)


class Object3D(BatchableMedia):
    """A point cloud, a scene with boxes and vectors, or a model.

    Args:
        data_or_path: An array of points of the shape (N, 3), (N, 4) with a category, or (N, 6) with a color; a scene,
            which is a dict with ``type`` ``lidar/beta`` and ``points``, ``boxes`` and ``vectors``; the path of a
            model (obj, gltf, glb, babylon, stl, pts.json); or an open file.
        caption: A text below it.
        file_type: The type of an open file that has no name.

    Raises:
        ValueError: The shape, the type or the extension is invalid.
        OSError: The file cannot be read.
    """

    SUPPORTED_TYPES: ClassVar[set[str]] = {"obj", "gltf", "glb", "babylon", "stl", "pts.json"}
    SUPPORTED_POINT_CLOUD_TYPES: ClassVar[set[str]] = {_SCENE}
    _log_type: ClassVar[str] = "object3D-file"

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str | None = None) -> None:
        if isinstance(data_or_path, Mapping):
            file = _json_file(_scene(data_or_path))
        elif hasattr(data_or_path, "shape"):
            file = _json_file(_points(data_or_path))
        elif isinstance(data_or_path, str | os.PathLike) or hasattr(data_or_path, "read"):
            extension, content = content_of(data_or_path, self.SUPPORTED_TYPES, file_type, "Object3D")
            file = MediaFile(folder="object3D", extension=extension, content=content)
        else:
            kind = type(data_or_path).__name__
            raise ValueError(f"Invalid data for Object3D: expected an array, a scene, a path or a file, not {kind}")
        super().__init__(file, caption)

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Self:
        """Return the object of a path or an open file; ``file_type`` is required for a file without a name."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Self:
        """Return a point cloud of an array."""
        if not hasattr(data, "shape"):
            raise ValueError(f"Invalid points: expected a numpy array, not {type(data).__name__}")
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Sequence[Any],
        boxes: Sequence[Any],
        vectors: Sequence[Any] | None = None,
        point_cloud_type: str = _SCENE,
    ) -> Self:
        """Return a scene of points, boxes (see :func:`box3d`) and vectors."""
        if point_cloud_type not in cls.SUPPORTED_POINT_CLOUD_TYPES:
            raise ValueError(f"Invalid point_cloud_type {point_cloud_type!r}: expected {_SCENE!r}")
        return cls({"type": point_cloud_type, "points": points, "boxes": boxes, "vectors": vectors or []})

    @classmethod
    def record_list(cls, items: Sequence[Object3D], place: MediaPlace) -> dict[str, Any]:
        """Return the dict that is recorded for a list of objects; raises OSError."""
        objects = [item.record(place) for item in items]
        names = [one["path"].removeprefix("media/object3D/") for one in objects]
        return {"_type": "object3D", "filenames": names, "count": len(items), "objects": objects}


def box3d(
    *,
    center: Any,
    size: Any,
    orientation: Any,
    color: tuple[float, float, float],
    label: str | None = None,
    score: float | None = None,
) -> dict[str, Any]:
    """Return a box of a scene.

    Args:
        center: The center, as three numbers.
        size: The lengths of the sides, as three numbers.
        orientation: The rotation from the axes of the scene to those of the box, as a quaternion r, x, y, z.
        color: Red, green and blue.
        label: A text.
        score: A number, such as a confidence.

    Raises:
        ValueError: An argument has another length, or the quaternion is zero.
    """
    import numpy as np  # noqa: PLC0415 - runstream is imported without it

    found = []
    for name, value, length in (("center", center, 3), ("size", size, 3), ("orientation", orientation, 4)):
        array = np.asarray(value, dtype=np.float64)
        if array.shape != (length,) or not np.isfinite(array).all():
            raise ValueError(f"Invalid {name} of a box: expected {length} numbers, not {value!r}")
        found.append(array)
    middle, sides, quaternion = found
    if not quaternion.any():
        raise ValueError("Invalid orientation of a box: the quaternion is zero")
    r, i, j, k = quaternion / np.linalg.norm(quaternion)
    rotation = np.array(
        [
            [1 - 2 * (j * j + k * k), 2 * (i * j - k * r), 2 * (i * k + j * r)],
            [2 * (i * j + k * r), 1 - 2 * (i * i + k * k), 2 * (j * k - i * r)],
            [2 * (i * k - j * r), 2 * (j * k + i * r), 1 - 2 * (i * i + j * j)],
        ]
    )
    units = np.array(list(product((-1, 1), repeat=3)), dtype=np.float64)
    corners = middle + (units * sides / 2) @ rotation.T
    return {"corners": [tuple(corner) for corner in corners.tolist()], "color": color, "label": label, "score": score}


def _points(data: Any) -> list[Any]:
    array = as_array(data)
    if array.ndim != 2 or array.shape[1] not in _COLUMNS or array.dtype.kind not in "biuf":  # noqa: PLR2004
        raise ValueError(
            f"Invalid points of shape {array.shape}: expected (N, 3) for x y z, (N, 4) with a category, "
            "or (N, 6) with red, green and blue"
        )
    found: list[Any] = array.tolist()
    return found


def _scene(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("type") != _SCENE:
        raise ValueError(f"Invalid type {given.get('type')!r} of a scene: expected {_SCENE!r}")
    found = {name: _plain(given.get(name, [])) for name in ("vectors", "points", "boxes")}
    for name, value in found.items():
        if not isinstance(value, list):
            raise ValueError(f"Invalid {name} of a scene: expected a list or an array, not {value!r:.100}")  # noqa: TRY004
    return {"type": _SCENE, **found}


def _plain(value: Any) -> Any:
    if callable(getattr(value, "tolist", None)):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _json_file(data: Any) -> MediaFile:
    try:
        text = json.dumps(data)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Invalid scene: {error}") from None
    return MediaFile(folder="object3D", extension="pts.json", content=BytesContent(text.encode()))
