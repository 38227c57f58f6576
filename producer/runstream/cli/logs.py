"""The command ``logs``: what the processes of a run printed."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from runstream.cli.console import write_lines
from runstream.cli.find import RunPath, find_run
from runstream.cli.run_view import OPEN, has_arrived
from runstream.exceptions import UsageError
from runstream.public_api.api import Api
from runstream.public_api.run import Run
from runstream.terminal.formatting import moment
from runstream.terminal.terminal import printable

#: Lines of one request; the server's maximum for the last lines.
_PAGE = 10_000
_POLL_S = 1.0
#: Sequences that set colors, and all that begin with an escape character.
_COLOR = re.compile("(\x1b\\[[0-9;:]*m)")
_ESCAPE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])?")

Line = dict[str, Any]


def logs(
    run: RunPath,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the run ends or Ctrl-C.")] = False,
    rank: Annotated[int | None, typer.Option("--rank", help="Only lines of this rank.")] = None,
    writer: Annotated[
        str | None, typer.Option("--writer", "-w", help="Only lines of the writer with this label, or on this host.")
    ] = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=1, max=_PAGE, help="Only the last lines.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Begin each line with its time, UTC.")] = False,
) -> None:
    """Print the console output of a run, in the order of arrival.

    Lines of a run with several processes begin with the label of the process.
    """
    if rank is not None and writer is not None:
        raise UsageError("Invalid options --rank and --writer: use only one of them")
    label = f"rank {rank}" if rank is not None else writer
    found = find_run(Api(), run)
    has_color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    try:
        for lines in _pages(found, label, tail, follow=follow):
            write_lines("".join(_text(line, label, timestamps=timestamps, has_color=has_color) for line in lines))
    except KeyboardInterrupt:
        return


def _pages(run: Run, label: str | None, tail: int | None, *, follow: bool) -> Iterator[list[Line]]:
    """Yield the lines of a writer, or of all, as they arrive."""
    bars = ProgressBars()
    if tail is None:
        after = ""
    else:
        lines, after = run.console_page(lines=tail if label is None else _PAGE)
        yield [line for line in bars.add(lines) if _is_of(line, label)][-tail:]
        if not follow:
            yield [line for line in bars.rest() if _is_of(line, label)]
            return
    while True:
        # The state is read first: the lines of a run that had ended then have all arrived.
        ended = _has_ended(run) if follow else True
        lines, following = run.console_page(after=after)
        yield [line for line in bars.add(lines) if _is_of(line, label)]
        if following == after:
            if ended:
                yield [line for line in bars.rest() if _is_of(line, label)]
                return
            time.sleep(_POLL_S)
        after = following


class ProgressBars:
    """Leaves out the states of progress bars that a later line of the same stream replaces."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], Line] = {}

    def add(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines that are final; one that ends with a carriage return is held until the next one."""
        for line in lines:
            source = (line["writer"], line.get("label", ""), line.get("stream", ""))
            self._held.pop(source, None)
            if _content(line).endswith("\r"):
                self._held[source] = line
            else:
                yield line

    def rest(self) -> Iterator[Line]:
        """Yield the states that nothing replaced."""
        yield from self._held.values()
        self._held = {}


def _has_ended(run: Run) -> bool:
    return run.load(force=True)["state"] not in OPEN and has_arrived(run.delivery)


def _is_of(line: Line, label: str | None) -> bool:
    """Return whether a line was printed by a writer, one of its forked children, or on a host of this name."""
    own = str(line.get("label", ""))
    return label is None or label in {own, line.get("host")} or own.startswith(f"{label}/")


def _text(line: Line, label: str | None, *, timestamps: bool, has_color: bool) -> str:
    time = moment(line["time"]).isoformat(sep=" ", timespec="milliseconds")[:-6]
    begin = f"{time} " if timestamps else ""
    name = "" if label is not None or not line.get("label") else f"{printable(str(line['label']))} | "
    return f"{begin}{name}{harmless(_content(line).rstrip(chr(13)), has_color=has_color)}\n"


def _content(line: Line) -> str:
    """Return what was printed; the rows of other programs may have no text."""
    return str(line.get("text", ""))


def harmless(text: str, *, has_color: bool) -> str:
    """Return a line without sequences that control a terminal; colors are kept if wanted, and end with the line."""
    parts = _COLOR.split(text)
    kept = [
        (part if has_color else "") if index % 2 else printable(_ESCAPE.sub("", part))
        for index, part in enumerate(parts)
    ]
    return "".join(kept) + ("\x1b[0m" if has_color and len(parts) > 1 else "")
