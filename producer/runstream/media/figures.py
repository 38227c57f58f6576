"""Figures of matplotlib: drawn as images."""

from __future__ import annotations

import io
from typing import Any

from runstream.media.packages import require


def figure_of(value: Any) -> Any:
    """Return the figure of a value of matplotlib: a figure, an artist in one, or the module pyplot.

    Raises ValueError for anything else.
    """
    if type(value).__name__ == "module":  # pyplot
        return value.gcf()
    figure = value.get_figure() if callable(getattr(value, "get_figure", None)) else getattr(value, "figure", None)
    while figure is not None and callable(getattr(figure, "get_figure", None)) and figure.get_figure() is not figure:
        if (parent := figure.get_figure()) is None:
            break
        figure = parent  # of a subfigure
    found = value if figure is None else figure
    if not callable(getattr(found, "savefig", None)):
        raise ValueError(f"Invalid figure: {type(value).__name__} is in no figure")  # noqa: TRY004 - as W&B
    return found


def drawn(value: Any) -> Any:
    """Return a drawing of a figure of matplotlib, as an image of Pillow; raises ValueError if it cannot be drawn."""
    pillow = require("PIL.Image", "Image of a figure")
    figure = figure_of(value)
    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
    except Exception as error:
        raise ValueError(f"Cannot draw this figure: {type(error).__name__}: {error}") from error
    return pillow.open(buffer)
