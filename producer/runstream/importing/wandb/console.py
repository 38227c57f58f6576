"""From pieces of output, as programs write them, to lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.importing.records import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A line that would be longer is split.
_LONGEST = 64 * 1024


class Lines:
    """Joins the pieces of each stream; what a carriage return overwrites is left out, as on a terminal."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[int, str]] = {}

    def add(self, stream: str, time: int, text: str) -> Iterator[Line]:
        """Add a piece; yield the lines that it ends."""
        _, before = self._open.pop(stream, (time, ""))
        *ended, rest = (before + text).split("\n")
        for line in ended:
            yield Line(time, stream, line.rstrip("\r").rpartition("\r")[2])
        if len(rest) > _LONGEST:
            yield Line(time, stream, rest)
            rest = ""
        if rest:
            self._open[stream] = time, rest

    def close(self) -> Iterator[Line]:
        """Yield what is left, since no more comes."""
        for stream, (time, text) in self._open.items():
            yield Line(time, stream, text.rstrip("\r").rpartition("\r")[2])
        self._open = {}
