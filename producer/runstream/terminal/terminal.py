"""What a run prints: on stderr, or below the cell of a notebook."""

from __future__ import annotations

import html
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runstream.terminal.formatting import printable
from runstream.terminal.notebook import is_notebook, show_html
from runstream.terminal.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PREFIX = "runstream:"
#: Keys shown at the end of a run; the pages show all.
_MOST_KEYS = 40
_LONGEST_VALUE = 60
_CLEAR_LINE = "\r\x1b[K"
#: For terminals that cannot show them: signs that go, and signs that have a likeness.
_SIGNS = re.compile("[⭐🚀]\ufe0f? ?")
_LIKENESS = str.maketrans(dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True)) | {"…": "...", "·": " "})
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_BLOCK_STYLE = "font-family:monospace;white-space:pre-wrap;line-height:1.5"


class Terminal:
    """Prints lines with our prefix; in a silent run none, in a quiet one addresses and warnings only.

    Args:
        silent: Print nothing.
        quiet: Leave out what is merely nice to see.
    """

    def __init__(self, *, silent: bool = False, quiet: bool = False) -> None:
        self._silent = silent
        self._quiet = quiet or silent
        self._warned: set[str] = set()
        self._progress_shown = False
        #: Lines of the open block of a notebook.
        self._block: list[str] | None = None

    def line(self, text: str = "") -> None:
        """Print a line that a quiet run shows too."""
        if self._silent:
            return
        lines = [printable(part) for part in text.splitlines() or [""]]
        if self._block is not None:
            self._block += lines
        else:
            self._write("".join(f"{PREFIX} {part}\n" for part in lines))

    def detail(self, text: str = "") -> None:
        """Print a line that a quiet run leaves out."""
        if not self._quiet:
            self.line(text)

    def warn(self, text: str) -> None:
        """Print a warning, each text once."""
        if text not in self._warned:
            self._warned.add(text)
            self.line(f"WARNING {text}")

    @contextmanager
    def block(self) -> Iterator[None]:
        """Show the lines printed meanwhile as one piece of HTML, where this is a notebook."""
        if self._silent or self._block is not None or not is_notebook():
            yield
            return
        self._block = []
        try:
            yield
        finally:
            lines, self._block = self._block, None
            if lines and not show_html(_as_html(lines), plain="\n".join(lines)):
                self._write("".join(f"{PREFIX} {part}\n" for part in lines))

    def progress(self, text: str) -> None:
        """Show a line that the next one replaces; where nobody is looking, print the first one only."""
        if self._quiet:
            return
        if self.replaces_lines:
            self._write(f"{_CLEAR_LINE}{PREFIX} {text}")
        elif not self._progress_shown:
            self.line(text)
        self._progress_shown = True

    def end_progress(self) -> None:
        """Take the progress line away."""
        if self._progress_shown and self.replaces_lines:
            self._write(_CLEAR_LINE)
        self._progress_shown = False

    @property
    def says_details(self) -> bool:
        """Whether details are printed."""
        return not self._quiet

    @property
    def replaces_lines(self) -> bool:
        """Whether standard error is a terminal that takes control codes."""
        try:
            return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        except (ValueError, AttributeError):
            return False  # Closed, or missing.

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stderr.write(sayable(text, getattr(sys.stderr, "encoding", None)))
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return  # Closed or missing: there is nobody to tell.


def sayable(text: str, encoding: str | None) -> str:
    """Return a text as a stream of an encoding can say it: as it is, or without signs, in likenesses."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        plain = _SIGNS.sub("", text).translate(_LIKENESS)
        return plain.encode(encoding or "utf-8", "replace").decode(encoding or "utf-8")
    except LookupError:
        return text
    return text


def report_lines(
    history: Iterable[tuple[str, Sequence[float | None]]], summary: Iterable[tuple[str, Any]]
) -> list[str]:
    """Return the lines that show a run at its end: a sparkline for each metric, the value of each key."""
    sparks = [(printable(key), sparkline(points)) for key, points in history if points]
    values = [(printable(key), _shown(value)) for key, value in summary]
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
    text = printable(f"{value:.6g}" if isinstance(value, float) else str(value))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _as_html(lines: Sequence[str]) -> str:
    text = "\n".join(_linked(line) for line in lines)
    return f'<div class="runstream" style="{_BLOCK_STYLE}">{text}</div>'


def _linked(line: str) -> str:
    parts, end = [], 0
    for found in _ADDRESS.finditer(line):
        address = html.escape(found[0], quote=True)
        parts += [html.escape(line[end : found.start()]), f'<a href="{address}" target="_blank">{address}</a>']
        end = found.end()
    return "".join([*parts, html.escape(line[end:])])
