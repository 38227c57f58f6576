"""Console capture: copy what Python writes to stdout and stderr, line by line, to a file of the run folder."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from runstream.descriptors import KeptFile
from runstream.tracking.values.texts import as_text
from runstream_schemas.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


#: Seconds until the state of a progress bar is recorded while it runs; doubled each time, up to the longest pause.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 10.0
#: Moves the cursor to another line, as several bars do; the number of such parts of a line that are kept.
_VERTICAL = re.compile(r"\x1b\[\d*[ABEF]")
_MOVES = 4
#: Longest line; the state of one that is overwritten has another character. Parts of a line that are not joined yet,
#: each of at most so many characters.
_LONGEST = DEFAULT_LIMITS.string_length - 1
_MOST_ADDED = 1000


class LineBuffer:
    """Splits output into lines; of text that a carriage return overwrites, only the last is kept."""

    def __init__(self) -> None:
        #: The beginning of the current line, and what was added to it; how many characters of it are not kept.
        self._rest = ""
        self._added: list[str] = []
        self._left_out = 0
        #: Whether the rest was overwritten, when its state is due (0: not decided yet), and seconds until the next one.
        self._is_rewritten = False
        self._due = 0.0
        self._pause = _FIRST_PAUSE_S

    def feed(self, text: str) -> list[str]:
        """Return the lines that this text completes."""
        if "\n" not in text:
            self._keep(text)
            return []
        end, *complete, rest = text.split("\n")
        self._keep(end)
        lines = [*self.flush(empty=True), *(_shortened(_last_state(line)) for line in complete)]
        self._is_rewritten, self._due, self._pause = False, 0.0, _FIRST_PAUSE_S
        self._keep(rest)
        return lines

    def progress(self, now: float) -> list[str]:
        """Return the state of a line that is being overwritten, such as a progress bar, if it is due.

        It ends with a carriage return: the next line replaces it. It is due after a second, then ever more rarely.
        """
        if not self._is_rewritten or now < self._due:
            return []
        self._join()
        if not (state := _shortened(_last_state(self._rest), self._left_out)).strip():
            return []
        is_first = not self._due
        self._due = now + self._pause
        if is_first:
            return []
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        return [f"{state}\r"]

    def flush(self, *, empty: bool = False) -> list[str]:
        """Return the rest as a last line, if there is any, or if it may be ``empty``."""
        self._join()
        rest, left_out, self._rest, self._left_out = self._rest, self._left_out, "", 0
        return [_shortened(_last_state(rest), left_out)] if rest or empty else []

    def _keep(self, text: str) -> None:
        self._added.append(text)
        if "\r" in text:
            # Progress bars rewrite one line for hours: drop what they overwrote.
            self._join()
            rest = self._rest
            self._rest = ("\r" if rest.endswith("\r") else "").join((_last_state(rest), ""))
            self._is_rewritten, self._left_out = True, 0
        if len(self._added) > _MOST_ADDED or len(text) > _MOST_ADDED:
            self._join()
            self._left_out += max(len(self._rest) - _LONGEST, 0)
            self._rest = self._rest[:_LONGEST]

    def _join(self) -> None:
        self._rest = "".join((self._rest, *self._added))
        self._added.clear()


class StreamTap:
    """Replaces a stream's ``write``, and passes what is written to its listeners."""

    def __init__(self, stream: TextIO) -> None:
        self._before = vars(stream).get("write")
        self._write = stream.write
        self.listeners: tuple[Callable[[str], None], ...] = ()

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Write to the stream, which may accept other things than a text, and call the listeners."""
        written = self._write(*given, **named)
        for text in given[:1]:
            plain = str.__str__(text) if isinstance(text, str) else as_text(text) or ""
            for listener in self.listeners:
                listener(plain)
        return written

    @classmethod
    def listen(cls, stream: TextIO, listener: Callable[[str], None]) -> StreamTap:
        """Tap a stream; raises AttributeError or TypeError if its ``write`` cannot be replaced."""
        tap = vars(stream).get("write")
        if not isinstance(tap, StreamTap):
            tap = cls(stream)
            stream.write = tap  # type: ignore[method-assign]
        tap.listeners += (listener,)
        return tap

    def leave(self, stream: TextIO, listener: Callable[[str], None]) -> None:
        """Remove a listener; after the last, remove the tap unless it has been replaced."""
        self.listeners = tuple(one for one in self.listeners if one != listener)
        if self.listeners or vars(stream).get("write") is not self:
            return
        if self._before is None:
            del stream.write
        else:
            stream.write = self._before  # type: ignore[method-assign]


class ConsoleCapture:
    """Appends the lines of ``sys.stdout`` and ``sys.stderr`` to a file, from :meth:`start` to :meth:`stop`.

    The streams remain the same objects; only their ``write`` is wrapped, so references to them stay valid. Several
    captures can begin and end in any order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: KeptFile | None = None
        self._pid = os.getpid()
        #: Suffix of a stream's name: the child process that wrote.
        self._mark = ""
        self._lock = threading.RLock()
        self._tapped: list[tuple[TextIO, StreamTap, Callable[[str], None]]] = []
        self._buffers: dict[str, LineBuffer] = {}
        #: Lines that could not be recorded since the last one, and why; the end of a line that was recorded in part.
        self._missing, self._problem, self._end = 0, "", ""

    def start(self) -> None:
        """Begin to capture; a stream that cannot be wrapped is skipped. Raises OSError if the file cannot be opened."""
        self._file = KeptFile.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
            if stream is None:
                continue
            self._buffers[name] = LineBuffer()
            listener = partial(self._on_write, name)
            try:
                tap = StreamTap.listen(stream, listener)
            except (AttributeError, TypeError):
                continue
            self._tapped.append((stream, tap, listener))

    def stop(self) -> str:
        """Release the streams and write the rest of the last line; return a note of lines that are missing."""
        with self._lock:
            for stream, tap, listener in self._tapped:
                tap.leave(stream, listener)
            self._tapped.clear()
            for name, buffer in self._buffers.items():
                self._append(name, buffer.flush())
            self._buffers.clear()
            if self._file is not None:
                self._file.close()
        return self._note()

    def _on_write(self, name: str, text: str) -> None:
        if os.getpid() != self._pid:
            self._begin_in_child()
        with self._lock:
            if name in self._buffers:
                buffer = self._buffers[name]
                self._append(name, buffer.feed(text) or buffer.progress(time.monotonic()))

    def _begin_in_child(self) -> None:
        """Reset in a forked child: a partial line, and a lock that was held, belong to the parent."""
        self._pid = os.getpid()
        self._mark = f"@{self._pid}"
        self._lock = threading.RLock()
        self._buffers = {name: LineBuffer() for name in self._buffers}
        self._missing = 0

    def _append(self, name: str, lines: list[str]) -> None:
        if not lines or self._file is None or not self._file.intact:
            return
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        notes = [f"[{self._note()}]"] if self._missing else []
        text = self._end + "".join(f"{stamp} {name}{self._mark} {line}\n" for line in (*notes, *lines))
        data = text.encode(errors="backslashreplace")
        try:
            written = os.write(self._file.descriptor, data)
        except OSError as error:  # the program's output was written; a failed copy must not stop it
            written, self._problem = 0, error.strerror or str(error)
        left = data.count(b"\n", max(written, len(self._end)))
        self._missing = left if left <= len(lines) else left - 1 + self._missing
        if written:
            self._end = "" if data[:written].endswith(b"\n") else "\n"

    def _note(self) -> str:
        what = "console line" if self._missing == 1 else "console lines"
        return f"{self._missing} {what} could not be recorded: {self._problem or 'no space'}" if self._missing else ""


def _last_state(line: str) -> str:
    """Return what is left of a line that was overwritten; text that moved the cursor to other lines remains."""
    line = line.rstrip("\r")
    *overwritten, last = line.split("\r")
    if overwritten:
        moving = [part for part in overwritten if _VERTICAL.search(part)]
        last = "\r".join([*moving[-_MOVES:], last])
    return last


def _shortened(line: str, left_out: int = 0) -> str:
    """Return a line, of which so many characters are left out already; one that is too long ends with a note."""
    length = len(line) + left_out
    if length <= _LONGEST:
        return line
    note = f"… [shortened from {length} characters]"
    return line[: _LONGEST - len(note)] + note
