"""The numeric keys of runs, found by regular expressions; those of the runs that were asked for last are kept.

RE2 needs time in proportion to the length of the names, whatever the expression. All names are searched as the lines of
one text, since a search of each of a hundred thousand names takes thirty times as long.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from uuid import UUID

import re2

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary.packing import numeric_keys
from runstream_consumers.summary.store import QUERIES
from runstream_schemas.topics import RunPath

#: Runs whose names are kept, of at most so many bytes each.
_KEPT, _LONGEST = 8, 8_000_000


class InvalidPattern(ValueError):  # noqa: N818 — a property of what was given
    """A text is not a regular expression; the message says why."""


class KeyNames:
    """Finds keys by name. Names with line feeds or lone surrogates are not found."""

    def __init__(self) -> None:
        #: The version of the row of each run, and its names as lines.
        self._kept: OrderedDict[UUID, tuple[str, bytes]] = OrderedDict()

    async def matching(
        self, connection: Connection, run: RunPath, pattern: str | None, *, others: Sequence[str] = ()
    ) -> list[str]:
        """Return the keys of a run that ever had a number, and others, in which a regular expression is found, sorted.

        Raises InvalidPattern.
        """
        search = _compiled(pattern or "")
        lines = b"\n".join(filter(None, [await self._names(connection, run), _lines(others)]))
        return await asyncio.to_thread(lambda: sorted({found.decode() for found in search.findall(lines) if found}))

    async def _names(self, connection: Connection, run: RunPath) -> bytes:
        key = run_key(run)
        version = await connection.fetchval(QUERIES["version"], key)
        held = self._kept.get(key)
        if held is None or held[0] != version:
            row = await connection.fetchrow(QUERIES["packed_keys"], key)
            if row is None:
                return b""
            parts = row["parts"]
            lines = await asyncio.to_thread(lambda: _lines(one for part in parts for one in numeric_keys(part)))
            held = (row["version"], lines)
        if len(held[1]) <= _LONGEST:
            self._kept[key] = held
            self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return held[1]


def _lines(names: Iterable[str]) -> bytes:
    return b"\n".join(name.encode() for name in names if "\n" not in name and _is_text(name))


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _compiled(pattern: str) -> re2._Regexp[bytes]:
    options = re2.Options()
    options.log_errors = False
    # No part of the expression matches the end of a line, so that each name is searched alone.
    options.never_nl = True
    try:
        encoded = pattern.encode()
        re2.compile(encoded, options)
        return re2.compile(b"(?m)^.*(?:" + encoded + b").*$", options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else error
        raise InvalidPattern(reason.decode() if isinstance(reason, bytes) else str(reason)) from error
