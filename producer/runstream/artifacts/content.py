"""Objects in artifacts, such as tables and images: how they become files, and files become objects again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from runstream_schemas.exceptions import InvalidTable
from runstream_schemas.stored.tables import TableReader, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: By the type in the name of its description, ``NAME.TYPE.json``, the class of an object: not imported before it is
#: read, since these classes need libraries of their own.
CLASSES: Mapping[str, str] = {
    "audio-file": "runstream.media.audio:Audio",
    "bokeh-file": "runstream.media.charts.plots:Bokeh",
    "classes": "runstream.media.annotations:Classes",
    "html-file": "runstream.media.html:Html",
    "image-file": "runstream.media.image:Image",
    "joined-table": "runstream.tables.joined:JoinedTable",
    "molecule-file": "runstream.media.spatial.molecule:Molecule",
    "object3D-file": "runstream.media.spatial.object_3d:Object3D",
    "partitioned-table": "runstream.tables.joined:PartitionedTable",
    "plotly-file": "runstream.media.charts.plots:Plotly",
    "table": "runstream.tables.table:Table",
    "video-file": "runstream.media.video:Video",
}

#: Bytes of a table that are read at once.
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file that an object is made of: its path in the artifact, and its content or a file that has it.

    ``ref`` is the URL of a content that the artifact only refers to.
    """

    path: str
    content: bytes | Path = b""
    ref: str = ""


def description_paths(name: str) -> Iterator[tuple[str, str]]:
    """Yield the paths that the description of an object of this name may have, each with the type of the object."""
    for kind in CLASSES:
        yield (name if name.endswith(f".{kind}.json") else f"{name}.{kind}.json"), kind


def read_description(kind: str, path: Path) -> dict[str, Any]:
    """Return the fields of a description; the rows of a table are read one after another, which bounds the memory.

    Raises ValueError that names the file if it is not a description.
    """
    try:
        if kind == "table":
            reader = TableReader()
            with path.open("rb") as file:
                rows = [*read_rows(iter(lambda: file.read(_CHUNK), b""), reader)]
            return {**reader.header, "data": rows}
        return dict(json.loads(path.read_bytes()))
    except (InvalidTable, TypeError, ValueError) as error:
        raise ValueError(f"Cannot read {str(path)!r} as a {kind}: {error}") from error


def to_object(kind: str, description: dict[str, Any], artifact: Any) -> Any:
    """Return the object that a description in an artifact describes."""
    module, _, name = CLASSES[kind].partition(":")
    return getattr(import_module(module), name).from_artifact(description, artifact)
