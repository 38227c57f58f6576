"""Placeholders for files, media, tables and artifacts: they can be imported, but not instantiated yet."""

from __future__ import annotations

from typing import Any, NoReturn

from runstream.exceptions import UnsupportedError


class UnsupportedMedia:
    """A class of W&B that is not supported yet: creating an instance raises :class:`UnsupportedError`."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        raise_unsupported(type(self).__name__)


def raise_unsupported(name: str) -> NoReturn:
    """Raise :class:`UnsupportedError` for a name of W&B that is not supported yet."""
    raise UnsupportedError(
        f"{name} is not supported yet, like all of files and artifacts; nothing was recorded. "
        "Log its numbers, or the path of a file"
    )


def _placeholder(name: str, doc: str) -> type[UnsupportedMedia]:
    return type(name, (UnsupportedMedia,), {"__doc__": doc, "__module__": __name__})


Artifact = _placeholder("Artifact", "A versioned set of files.")
ArtifactTTL = _placeholder("ArtifactTTL", "The lifetime of an artifact.")
Audio = _placeholder("Audio", "A sound.")
Classes = _placeholder("Classes", "The classes of a segmentation or of boxes.")
EvalTable = _placeholder("EvalTable", "A table of a model's predictions.")
Graph = _placeholder("Graph", "The graph of a model.")
Html = _placeholder("Html", "A piece of HTML.")
Image = _placeholder("Image", "An image, with masks and boxes.")
JoinedTable = _placeholder("JoinedTable", "Two tables, joined by a key.")
Molecule = _placeholder("Molecule", "A molecule in three dimensions.")
Object3D = _placeholder("Object3D", "A point cloud or a three-dimensional model.")
Plotly = _placeholder("Plotly", "A Plotly figure.")
Table = _placeholder("Table", "Rows and columns of data and media.")
Video = _placeholder("Video", "A video.")
