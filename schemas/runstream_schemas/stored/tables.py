"""Files of tables, ``*.table.json``: one JSON object with ``columns`` and ``data``, read row by row.

They are the files of W&B: numbers may be ``NaN`` or infinite, which JSON does not have.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

from runstream_schemas.exceptions import InvalidTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Characters of the longest row, or other value, that is read.
LONGEST_VALUE = 256 * 1024 * 1024
_SPACE = re.compile(r"[ \t\n\r]*")
_ROWS = "data"
_ENDING = ".table.json"


class TableReader:
    """Reads the file of a table as its bytes arrive, with no more of it in memory than a row."""

    def __init__(self) -> None:
        #: What the file has besides its rows, such as ``columns``; complete at the end.
        self.header: dict[str, Any] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at = "", 0
        #: Reads on from here; returns whether there may be more to read.
        self._next: Callable[[], bool] = self._object
        self._key = ""
        self._found: list[Any] = []
        #: Length of the text from which it is worth reading a value that was incomplete.
        self._wanted = 1
        self._ended = False

    @property
    def columns(self) -> list[Any]:
        """The names of the columns, as far as they have been read."""
        return list(self.header.get("columns", ()))

    def feed(self, data: bytes) -> list[Any]:
        """Return the rows that are complete after more bytes of the file; raises InvalidTable."""
        try:
            self._text = self._text[self._at :] + self._decoder.decode(data)
        except UnicodeDecodeError as error:
            raise InvalidTable(f"Invalid table: {error}") from error
        self._at = 0
        if len(self._text) > LONGEST_VALUE:
            raise InvalidTable(f"Invalid table: a value has more than {LONGEST_VALUE} characters")
        return self._rows() if len(self._text) >= self._wanted else []

    def end(self) -> list[Any]:
        """Return the rows that are complete at the end of the file; raises InvalidTable if the file is not complete."""
        self._text += " "
        rows = self._rows()
        if not self._ended:
            near = self._text[self._at : self._at + 40]
            raise InvalidTable(f"Invalid table: expected more, or something else, at {near!r}")
        return rows

    def _rows(self) -> list[Any]:
        try:
            while self._next():
                pass
        except (RecursionError, ValueError) as error:
            raise InvalidTable(f"Invalid table: {error}") from error
        self._wanted = 2 * (len(self._text) - self._at)
        rows, self._found = self._found, []
        return rows

    def _char(self, expected: str) -> str:
        """Return the next of these characters, or an empty string if there is no more text; raises InvalidTable."""
        self._at = self._after_space(self._at)
        found = self._text[self._at : self._at + 1]
        if found and found not in expected:
            near = self._text[self._at : self._at + 40]
            raise InvalidTable(f"Invalid table: expected {' or '.join(expected)}, not {near!r}")
        self._at += len(found)
        return found

    def _value(self) -> tuple[Any, ...]:
        """Return a value and the character after it; nothing if the text ends before that."""
        start = self._after_space(self._at)
        try:
            value, end = self._scan(self._text, start)
        except json.JSONDecodeError:
            return ()
        if (end := self._after_space(end)) == len(self._text):
            return ()
        self._at = end + 1
        return value, self._text[end]

    def _after_space(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _object(self) -> bool:
        return self._then(self._char("{"), {"{": self._name})

    def _name(self) -> bool:
        if not (found := self._value()):
            return False
        if not isinstance(found[0], str) or found[1] != ":":
            raise InvalidTable(f"Invalid table: expected a name and a colon, not {found[0]!r:.40} {found[1]}")
        self._key = found[0]
        self._next = self._array if self._key == _ROWS else self._property
        return True

    def _property(self) -> bool:
        if not (found := self._value()):
            return False
        self.header[self._key] = found[0]
        return self._then(found[1], {",": self._name, "}": self._end})

    def _array(self) -> bool:
        return self._then(self._char("["), {"[": self._first})

    def _first(self) -> bool:
        self._at = self._after_space(self._at)
        if self._text[self._at : self._at + 1] == "]":
            return self._then(self._char("]"), {"]": self._after})
        if self._at < len(self._text):
            self._next = self._row
        return self._at < len(self._text)

    def _row(self) -> bool:
        while found := self._value():
            self._found.append(found[0])
            if found[1] != ",":
                return self._then(found[1], {"]": self._after})
        return False

    def _after(self) -> bool:
        return self._then(self._char(",}"), {",": self._name, "}": self._end})

    def _end(self) -> bool:
        self._ended = True
        self._char("")
        return False

    def _then(self, found: str, states: dict[str, Any]) -> bool:
        """Go on with the state of a character; return whether there was one."""
        if found and found not in states:
            raise InvalidTable(f"Invalid table: expected {' or '.join(states)}, not {found!r}")
        self._next = states.get(found, self._next)
        return bool(found)


def read_rows(chunks: Iterable[bytes], reader: TableReader | None = None) -> Iterator[list[Any]]:
    """Yield the rows of a table file that is given in pieces; raises InvalidTable."""
    reader = reader or TableReader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.end()


def increment_path(path: str, number: int) -> str:
    """Return the path of another file of a table that is logged in increments, ``….NUMBER.table.json``."""
    stem, ending = path[: -len(_ENDING)], path[-len(_ENDING) :]
    return f"{stem.rpartition('.')[0]}.{number}{ending}"
