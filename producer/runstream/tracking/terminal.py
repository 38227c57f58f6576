"""What a run prints, on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from runstream.cli.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PREFIX = "runstream:"
#: Keys shown at the end of a run; the pages show all.
_MOST_KEYS = 40
_LONGEST_VALUE = 60
_CLEAR_LINE = "\r\x1b[K"


class Terminal:
    """Prints lines with our prefix; in a silent run none, in a quiet one only what is worth an interruption.

    Args:
        silent: Print nothing.
        quiet: Leave out what is merely nice to see.
    """

    def __init__(self, *, silent: bool = False, quiet: bool = False) -> None:
        self._silent = silent
        self._quiet = quiet or silent
        self._warned: set[str] = set()
        self._progress_shown = False

    def line(self, text: str = "") -> None:
        """Print a line that a quiet run shows too."""
        if not self._silent:
            self._write(f"{PREFIX} {text}\n" if text else f"{PREFIX}\n")

    def detail(self, text: str = "") -> None:
        """Print a line that a quiet run leaves out."""
        if not self._quiet:
            self.line(text)

    def warn(self, text: str) -> None:
        """Print a warning, each text once."""
        if text not in self._warned:
            self._warned.add(text)
            self.line(f"WARNING {text}")

    def progress(self, text: str) -> None:
        """Show a line that the next one replaces; where nobody is looking, print the first one only."""
        if self._quiet:
            return
        stream = sys.stderr
        if stream is not None and stream.isatty():
            self._write(f"{_CLEAR_LINE}{PREFIX} {text}")
        elif not self._progress_shown:
            self.line(text)
        self._progress_shown = True

    def end_progress(self) -> None:
        """Take the progress line away."""
        if self._progress_shown and sys.stderr is not None and sys.stderr.isatty():
            self._write(_CLEAR_LINE)
        self._progress_shown = False

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return  # Closed or missing: there is nobody to tell.
        except UnicodeEncodeError:
            sys.stderr.write(text.encode("ascii", "replace").decode())


def report_lines(
    history: Iterable[tuple[str, Sequence[float | None]]], summary: Iterable[tuple[str, Any]]
) -> list[str]:
    """Return the lines that show a run at its end: a sparkline for each metric, the last value of each key."""
    sparks = [(key, sparkline(points)) for key, points in history if points]
    values = [(key, _shown(value)) for key, value in summary]
    lines: list[str] = []
    for title, pairs in (("Run history:", sparks), ("Run summary:", values)):
        if not pairs:
            continue
        width = max(len(key) for key, _ in pairs[:_MOST_KEYS])
        lines += ["", title, *(f"{key:>{width}} {text}" for key, text in pairs[:_MOST_KEYS])]
        if len(pairs) > _MOST_KEYS:
            lines.append(f"… and {len(pairs) - _MOST_KEYS} more")
    return lines


def _shown(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
