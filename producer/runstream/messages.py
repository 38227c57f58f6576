"""Messages of programs and integrations on the terminal: ``termlog``, ``termwarn`` and ``termerror``."""

from __future__ import annotations

import sys

from runstream.tracking.run.session import SESSION

#: Texts that were printed, for ``repeat=False``.
_PRINTED: set[str] = set()


def termlog(string: str = "", newline: bool = True, repeat: bool = True, prefix: bool = True) -> None:  # noqa: FBT001, FBT002
    """Print a line on standard error, prefixed with ``runstream:``; print nothing in a silent run.

    Args:
        string: What to print.
        newline: End the line.
        repeat: Print it again if it was printed before.
        prefix: Print the prefix.
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
    if silent or sys.stderr is None or (not repeat and text in _PRINTED):
        return
    _PRINTED.add(text)
    sys.stderr.write(f"{'runstream: ' if prefix else ''}{kind}{text}" + ("\n" if newline else ""))
