"""Names for files, media, tables and artifacts: classes that can be named, and refuse to be made until they come."""

from __future__ import annotations

from typing import Any, NoReturn

from runstream.exceptions import UnsupportedError


class ToCome:
    """What comes with files and artifacts; making one raises :class:`UnsupportedError`."""

    def __init__(self, *_arguments: Any, **_keywords: Any) -> None:
        refuse(type(self).__name__)


class Artifact(ToCome):
    """A versioned set of files."""


class ArtifactTTL(ToCome):
    """How long an artifact is kept."""


class Audio(ToCome):
    """A sound."""


class Classes(ToCome):
    """The classes of a segmentation or of boxes."""


class EvalTable(ToCome):
    """A table of a model's predictions."""


class Graph(ToCome):
    """The graph of a model."""


class Html(ToCome):
    """A piece of HTML."""


class Image(ToCome):
    """A picture, with masks and boxes."""


class JoinedTable(ToCome):
    """Two tables, joined by a key."""


class Molecule(ToCome):
    """A molecule, in three dimensions."""


class Object3D(ToCome):
    """A cloud of points or a model in three dimensions."""


class Plotly(ToCome):
    """A figure of Plotly."""


class Table(ToCome):
    """Rows and columns of data and media."""


class Video(ToCome):
    """A film."""


def refuse(name: str) -> NoReturn:
    """Raise the error for a name that comes with files and artifacts."""
    raise UnsupportedError(
        f"{name} comes with files and artifacts, which this version of Runstream does not have yet; nothing was "
        "recorded. Log the numbers behind it, or a path to where you keep it"
    )
