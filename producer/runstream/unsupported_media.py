"""Placeholders for files, media, tables and artifacts: they can be imported, but not instantiated yet."""

from __future__ import annotations

from typing import Any, NoReturn

from runstream.exceptions import UnsupportedError


class UnsupportedMedia:
    """A class of W&B that is not supported yet: creating an instance raises :class:`UnsupportedError`."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        raise_unsupported(type(self).__name__)


class Artifact(UnsupportedMedia):
    """A versioned set of files."""


class ArtifactTTL(UnsupportedMedia):
    """The lifetime of an artifact."""


class Audio(UnsupportedMedia):
    """A sound."""


class Classes(UnsupportedMedia):
    """The classes of a segmentation or of boxes."""


class EvalTable(UnsupportedMedia):
    """A table of a model's predictions."""


class Graph(UnsupportedMedia):
    """The graph of a model."""


class Html(UnsupportedMedia):
    """A piece of HTML."""


class Image(UnsupportedMedia):
    """An image, with masks and boxes."""


class JoinedTable(UnsupportedMedia):
    """Two tables, joined by a key."""


class Molecule(UnsupportedMedia):
    """A molecule in three dimensions."""


class Object3D(UnsupportedMedia):
    """A point cloud or a three-dimensional model."""


class Plotly(UnsupportedMedia):
    """A Plotly figure."""


class Table(UnsupportedMedia):
    """Rows and columns of data and media."""


class Video(UnsupportedMedia):
    """A video."""


def raise_unsupported(name: str) -> NoReturn:
    """Raise :class:`UnsupportedError` for a name of W&B that is not supported yet."""
    raise UnsupportedError(
        f"{name} is not supported yet, like all of files and artifacts; nothing was recorded. "
        "Log its numbers, or the path of a file"
    )
