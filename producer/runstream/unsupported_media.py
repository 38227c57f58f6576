"""Placeholders for files, media, tables and artifacts: they can be imported, but not instantiated yet."""

from __future__ import annotations

from typing import Any, NoReturn

from runstream.exceptions import UnsupportedError


class UnsupportedMedia:
    """What comes with files and artifacts; making one raises :class:`UnsupportedError`."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        raise_unsupported(type(self).__name__)


class Artifact(UnsupportedMedia):
    """A versioned set of files."""


class ArtifactTTL(UnsupportedMedia):
    """How long an artifact is kept."""


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
    """A picture, with masks and boxes."""


class JoinedTable(UnsupportedMedia):
    """Two tables, joined by a key."""


class Molecule(UnsupportedMedia):
    """A molecule, in three dimensions."""


class Object3D(UnsupportedMedia):
    """A cloud of points or a model in three dimensions."""


class Plotly(UnsupportedMedia):
    """A figure of Plotly."""


class Table(UnsupportedMedia):
    """Rows and columns of data and media."""


class Video(UnsupportedMedia):
    """A film."""


def raise_unsupported(name: str) -> NoReturn:
    """Raise the error for a name that comes with files and artifacts."""
    raise UnsupportedError(
        f"{name} comes with files and artifacts, which this version of Runstream does not have yet; nothing was "
        "recorded. Log the numbers behind it, or a path to where you keep it"
    )
