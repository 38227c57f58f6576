"""The output of a run: on standard error, or below the cell of a notebook."""

from __future__ import annotations

import html
import os
import re
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX = "runstream:"
_CLEAR_LINE = "\r\x1b[K"
#: For encodings without them: symbols that are removed, and characters with an ASCII equivalent.
_SYMBOLS = re.compile("[⭐🚀]\ufe0f? ?")
_ASCII = str.maketrans(dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True)) | {"…": "...", "·": " "})
_URL = re.compile(r"(https?://[^\s<>\"']+)")
_BLOCK_STYLE = "font-family:monospace;white-space:pre-wrap;line-height:1.5"
#: Warnings of a run that are printed: those about a key name it, and there may be any number of keys.
_MOST_WARNINGS = 1000
#: The longest text of a value.
_MAX_LENGTH = 60


class Terminal:
    """Prints lines with a prefix; only URLs and warnings if quiet, nothing if silent."""

    def __init__(self, *, silent: bool = False, quiet: bool = False) -> None:
        self._silent = silent
        self._quiet = quiet or silent
        self._warned: set[str] = set()
        self._progress_shown = False
        #: Lines of the open notebook block.
        self._block: list[str] | None = None

    def line(self, text: str = "") -> None:
        """Print a line, unless silent."""
        if self._silent:
            return
        lines = [printable(part) for part in text.splitlines() or [""]]
        if self._block is not None:
            self._block += lines
        else:
            self._write("".join(f"{PREFIX} {part}\n" for part in lines))

    def detail(self, text: str = "") -> None:
        """Print a line, unless quiet or silent."""
        if not self._quiet:
            self.line(text)

    def warn(self, text: str, about: str = "") -> None:
        """Print a warning, once for each text, or for what it is about."""
        if (about or text) not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(about or text)
            self.line(f"WARNING {text}")

    @contextmanager
    def block(self) -> Iterator[None]:
        """In a notebook, show the lines printed in this context as one HTML block."""
        if self._silent or self._block is not None or not is_notebook():
            yield
            return
        self._block = []
        try:
            yield
        finally:
            lines, self._block = self._block, None
            if lines and not show_html(_to_html(lines), plain="\n".join(lines)):
                self._write("".join(f"{PREFIX} {part}\n" for part in lines))

    def progress(self, text: str) -> None:
        """Show a line that the next one replaces. Without a terminal, only the first one is printed."""
        if self._quiet:
            return
        if self.replaces_lines:
            self._write(f"{_CLEAR_LINE}{PREFIX} {text}")
        elif not self._progress_shown:
            self.line(text)
        self._progress_shown = True

    def end_progress(self) -> None:
        """Remove the progress line."""
        if self._progress_shown and self.replaces_lines:
            self._write(_CLEAR_LINE)
        self._progress_shown = False

    @property
    def prints_details(self) -> bool:
        """Whether details are printed."""
        return not self._quiet

    @property
    def replaces_lines(self) -> bool:
        """Whether standard error is a terminal that supports control codes."""
        try:
            return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        except Exception:  # noqa: BLE001 - as in _write()
            return False

    @staticmethod
    def _write(text: str) -> None:
        with suppress(Exception):  # closed, missing, or a stream of the program, which may raise anything
            sys.stderr.write(encodable(text, getattr(sys.stderr, "encoding", None)))
            sys.stderr.flush()


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, not plain Python or IPython in a terminal."""
    module = sys.modules.get("IPython")
    return module is not None and getattr(module.get_ipython(), "kernel", None) is not None


def show_html(text: str, plain: str) -> bool:
    """Display HTML, or plain text in a front end without HTML; return whether it was displayed."""
    if not is_notebook():
        return False
    display: Any = import_module("IPython.display").display  # installed with the notebook
    try:
        display({"text/html": text, "text/plain": plain}, raw=True)
    except Exception:  # noqa: BLE001 - a kernel that is shutting down may raise anything
        return False
    return True


def printable(text: str) -> str:
    """Return the text without control characters, which could change the reader's terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def shorten(text: str) -> str:
    """Return the text without control characters and with at most 60 characters."""
    text = printable(text)
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"


def encodable(text: str, encoding: str | None) -> str:
    """Return the text, or if it cannot be encoded, a text without symbols and with ASCII equivalents."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        plain = _SYMBOLS.sub("", text).translate(_ASCII)
        return plain.encode(encoding or "utf-8", "replace").decode(encoding or "utf-8")
    except LookupError:
        return text
    return text


def _to_html(lines: Sequence[str]) -> str:
    parts = [html.escape(part) for part in _URL.split("\n".join(lines))]
    parts[1::2] = [f'<a href="{url}" target="_blank">{url}</a>' for url in parts[1::2]]  # every other part is a URL
    return f'<div class="runstream" style="{_BLOCK_STYLE}">{"".join(parts)}</div>'
