"""Printing to standard output: fitted to a terminal, in full width to a file or a pipe."""

from __future__ import annotations

import sys

from rich.console import Console

#: Wide enough for every line.
UNLIMITED = 1_000_000


def output(*, markup: bool = False) -> Console:
    """Return the console of standard output; lines are not shortened unless it is a terminal.

    With ``markup``, rich's markup in texts is applied, and numbers and paths are highlighted.
    """
    console = Console(highlight=markup, markup=markup, emoji=markup)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def print_note(text: str) -> None:
    """Print a note on standard error, dimmed."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, style="dim", markup=False)


def print_error(message: str) -> None:
    """Print an error on standard error, as one line."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"runstream: {message}", style="red", markup=False)


def write_lines(text: str) -> None:
    """Write text to standard output at once, so that a reader of a pipe sees it."""
    sys.stdout.write(text)
    sys.stdout.flush()
