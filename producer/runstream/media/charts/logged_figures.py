"""Figures of matplotlib and plotly that are logged as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.media.packages import module_of

if TYPE_CHECKING:
    from runstream.media.base import WBValue


def as_media(value: Any) -> WBValue:
    """Return the media value as which a figure is recorded: a chart of plotly, or else an image."""
    from runstream.media.charts.plots import Plotly  # noqa: PLC0415 - only for figures

    return Plotly.make_plot_media(value)


def is_figure(value: Any) -> bool:
    """Return whether a value is a figure of matplotlib or plotly, or pyplot: it is recorded as media."""
    module = module_of(value)
    if module == "matplotlib":
        return type(value).__name__ == "module" or hasattr(value, "get_figure") or hasattr(value, "savefig")
    return module == "plotly" and hasattr(value, "to_plotly_json")
