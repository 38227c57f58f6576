"""Figures of plotly, matplotlib and Bokeh as values to log."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from runstream.media.base import Media, downloaded
from runstream.media.content import BytesContent, FileContent, MediaFile
from runstream.media.figures import figure_of
from runstream.media.image import Image
from runstream.media.packages import module_of, require


class Plotly(Media):
    """An interactive chart of plotly.

    Args:
        val: A figure of plotly, or one of matplotlib, which is converted.

    Raises:
        ValueError: It is something else, or a figure of matplotlib that plotly cannot convert.
        Error: plotly is not installed, which converts figures of matplotlib.
    """

    _log_type: ClassVar[str] = "plotly-file"

    def __init__(self, val: Any) -> None:
        if module_of(val) == "matplotlib":
            val = _converted(val)
        elif not callable(getattr(val, "to_plotly_json", None)):
            kind = type(val).__name__
            raise ValueError(f"Invalid figure for Plotly: expected one of plotly or matplotlib, not {kind}")
        data = json.dumps(_plain(val.to_plotly_json())).encode()
        super().__init__(MediaFile(folder="plotly", extension="plotly.json", content=BytesContent(data)))

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the chart that a dict in an artifact describes; its file is downloaded."""
        found = cls.__new__(cls)
        content = FileContent.existing(downloaded(description, artifact))
        Media.__init__(found, MediaFile(folder="plotly", extension="plotly.json", content=content))
        return found

    @classmethod
    def make_plot_media(cls, val: Any) -> Plotly | Image:
        """Return the media value of a figure that is logged as it is.

        A figure of matplotlib becomes a chart of plotly, or an image if plotly is not installed or cannot convert it.
        """
        if module_of(val) != "matplotlib":
            return cls(val)
        try:
            return cls(val)
        except Exception:  # noqa: BLE001 - whatever plotly raises for what it does not know
            return Image(val)


class Bokeh(Media):
    """A chart of Bokeh.

    Args:
        data_or_path: A model or a document of Bokeh, or the path of a JSON file of one.

    Raises:
        TypeError: It is something else.
        ValueError: The file is not JSON.
        OSError: The file cannot be read.
        Error: Bokeh is not installed.
    """

    _log_type: ClassVar[str] = "bokeh-file"

    def __init__(self, data_or_path: Any) -> None:
        content: BytesContent | FileContent
        if isinstance(data_or_path, str | os.PathLike):
            path = Path(data_or_path)
            try:
                json.loads(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"Invalid file {str(path)!r} for Bokeh: not JSON ({error})") from None
            content = FileContent(path)
        else:
            content = BytesContent(json.dumps(_document(data_or_path)).encode())
        super().__init__(MediaFile(folder="bokeh", extension="bokeh.json", content=content))

    @classmethod
    def from_artifact(cls, description: dict[str, Any], artifact: Any) -> Self:
        """Return the chart that a dict in an artifact describes; its file is downloaded."""
        return cls(downloaded(description, artifact))


def _document(value: Any) -> Any:
    """Return the JSON of a document of Bokeh, or of one with a model as its root."""
    documents = require("bokeh.document", "Bokeh", "bokeh")
    document = value
    if isinstance(value, require("bokeh.model", "Bokeh", "bokeh").Model):
        document = documents.Document()
        document.add_root(value)
    if not isinstance(document, documents.Document):
        raise TypeError(f"Invalid data for Bokeh: expected a model, a document or a path, not {type(value).__name__}")
    found = document.to_json(deferred=False)
    if document is not value:
        document.remove_root(value)
    return found


def _converted(value: Any) -> Any:
    """Return a figure of matplotlib as one of plotly; raises ValueError for one with images."""
    figure = figure_of(value)
    if any(axes.images for axes in figure.axes):
        raise ValueError("Invalid figure for Plotly: it contains images; log it as runstream.Image(figure)")
    tools = require("plotly.tools", "Plotly of a figure of matplotlib", "plotly")
    try:
        return tools.mpl_to_plotly(figure)
    except Exception as error:
        raise ValueError(f"Cannot convert this figure to plotly: {type(error).__name__}: {error}") from error


def _plain(value: Any) -> Any:
    """Return the data of a figure with arrays as lists, and numbers that are not finite as None, as in plotly."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if callable(getattr(value, "tolist", None)):
        return _plain(value.tolist())
    if callable(getattr(value, "isoformat", None)):
        return value.isoformat()
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
