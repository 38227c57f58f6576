"""Lines on the terminal for programs and integrations: the functions that W&B calls ``termlog`` and the like."""

from __future__ import annotations

import sys

from runstream.tracking.run.session import SESSION

#: What was said and is not to be repeated.
_SAID: set[str] = set()


def termlog(string: str = "", newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:  # noqa: FBT001, FBT002
    """Print a line on standard error, with ``runstream:`` before it; nothing in a silent run.

    Args:
        string: What to print.
        newline: End the line.
        repeat: Print it again if it was printed before.
        prefix: Put the name before it.
    """
    _print("", string, newline=newline, repeat=repeat, prefix=prefix)


def termwarn(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:  # noqa: FBT001, FBT002
    """Print a warning as :func:`termlog` prints a line."""
    _print("WARNING ", string, newline=newline, repeat=repeat, prefix=prefix)


def termerror(string: str, newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:  # noqa: FBT001, FBT002
    """Print an error as :func:`termlog` prints a line."""
    _print("ERROR ", string, newline=newline, repeat=repeat, prefix=prefix)


def _print(kind: str, text: str, *, newline: bool, repeat: bool, prefix: bool) -> None:
    silent = SESSION.run is not None and SESSION.run.settings.silent
    if silent or sys.stderr is None or (not repeat and text in _SAID):
        return
    _SAID.add(text)
    sys.stderr.write(f"{'runstream: ' if prefix else ''}{kind}{text}" + ("\n" if newline else ""))
