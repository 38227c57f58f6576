"""Reading the console log of a run, so that each line becomes a row once, even if the shipper is killed.

A row's step is the byte offset of its line. So the spool shows how far the file was read: a line is read again only if
its row is neither in the spool nor in the ledger.
"""

from __future__ import annotations

import datetime as dt
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.plain_values import shortened
from runstream.spool.reader import read_spool

_CHUNK = 64 * 1024
#: Maximum bytes of a line; a longer one is split.
_LONGEST_LINE = 4 * 1024 * 1024
_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the console: its offset, when it was written (None if unknown), its stream, and its text.

    ``child`` is the pid of the forked child that wrote it, or 0 for the process that started the run.
    """

    start: int
    time: int | None
    stream: str
    text: str
    child: int = 0


def parse_line(start: int, raw: bytes, length: int) -> Line:
    """Return a line of the console log; one that is not in the format of the log is kept as text.

    Only the state of a line that is still being written ends with a carriage return.
    """
    text = raw.decode("utf-8", "replace").rstrip("\n")
    end = "\r" if text.endswith("\r") else ""
    text = text.rstrip("\r")
    fields = text.split(" ", 2)
    stream, _, child = fields[1].partition("@") if len(fields) >= _FIELDS - 1 else ("", "", "")
    if stream in {"stdout", "stderr"} and (child.isdecimal() or not child):
        try:
            moment = dt.datetime.fromisoformat(fields[0])
        except ValueError:
            pass
        else:
            time = int(moment.timestamp() * 1_000_000)
            content = shortened(fields[2] if len(fields) == _FIELDS else "", length - len(end)) + end
            return Line(start, time, stream, content, int(child or 0))
    return Line(start, None, "stdout", shortened(text, length))


class ConsoleLog:
    """Reads ``console.log``, once it exists, from an offset on; shortens lines to ``length`` characters."""

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._path = path
        self._length = length
        self._descriptor = -1
        self.offset = offset

    def read(self, *, final: bool) -> list[Line]:
        """Return the next lines, about 64 KiB; if ``final``, also a last line without a line feed."""
        if self._descriptor < 0 and not self._open():
            return []
        size = _CHUNK
        while True:
            data = os.pread(self._descriptor, size, self.offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < size or size >= _LONGEST_LINE:
                break
            size *= 4
        if not end and (final or len(data) >= _LONGEST_LINE):
            end = len(data)
        lines = [parse_line(start, raw, self._length) for start, raw in _split(data[:end], self.offset)]
        self.offset += end
        return lines

    def line_end(self, start: int) -> int:
        """Return the offset after the line that starts at an offset."""
        before, self.offset = self.offset, start
        try:
            lines = self.read(final=True)
            return lines[1].start if len(lines) > 1 else max(self.offset, start)
        finally:
            self.offset = before

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True


def last_spooled(folders: Iterable[Path]) -> int | None:
    """Return the offset of the last console line in the spools of shippers, or None if there is none."""
    records = (record for folder in folders for record in read_spool(folder))
    lines = (one.step for one in records if one.topic == TopicCode.LOG and one.stream == StreamCode.CONSOLE)
    return max(lines, default=None)


def _split(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    for raw in io.BytesIO(data):  # ends lines at line feeds only
        yield start, raw
        start += len(raw)
