"""The text of the report printed at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.terminal.sparkline import sparkline
from runstream.terminal.terminal import printable, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: How many keys are shown at the end of a run. The web pages show all.
_MAX_KEYS = 40


def report_lines(
    history: Iterable[tuple[str, Sequence[float | None]]], summary: Iterable[tuple[str, Any]]
) -> list[str]:
    """Return the lines printed at the end of a run: a sparkline for each metric, and the value of each key."""
    sparks = [(printable(key), sparkline(points)) for key, points in history if points]
    values = [
        (printable(key), shorten(f"{value:.6g}" if isinstance(value, float) else str(value))) for key, value in summary
    ]
    lines: list[str] = []
    for title, pairs in (("Run history:", sparks), ("Run summary:", values)):
        if not pairs:
            continue
        width = max(len(key) for key, _ in pairs[:_MAX_KEYS])
        lines += ["", title, *(f"{key:>{width}} {text}" for key, text in pairs[:_MAX_KEYS])]
        if len(pairs) > _MAX_KEYS:
            lines.append(f"… and {len(pairs) - _MAX_KEYS} more")
    return lines
