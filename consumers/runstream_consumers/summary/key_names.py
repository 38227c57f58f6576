"""The numeric keys of runs, found by regular expressions; those of the runs that were asked for last are kept."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary.packing import numeric_keys
from runstream_consumers.summary.store import QUERIES
from runstream_schemas.topics import RunPath

#: Milliseconds within which a regular expression is applied to the names of keys.
PATIENCE_MS = 5000
#: Separates names, which are sent to PostgreSQL as one text: a hundred thousand parameters take longer than the search.
_SEPARATOR = "\x1f"
#: What such a text cannot have.
_UNKNOWN = re.compile("[\0\x1f\ud800-\udfff]")
#: Runs whose names are kept, of at most so many characters each.
_KEPT, _LONGEST = 8, 8_000_000


class KeyNames:
    """Finds keys by name. Names with NUL, with U+001F or with lone surrogates are not found."""

    def __init__(self) -> None:
        #: The version of the row of each run, and its names.
        self._kept: OrderedDict[UUID, tuple[str, str]] = OrderedDict()

    async def matching(
        self,
        connection: Connection,
        run: RunPath,
        pattern: str | None,
        *,
        others: Sequence[str] = (),
        after: str | None = None,
        limit: int = 1000,
    ) -> list[str]:
        """Return the keys of a run that ever had a number, and others, in which a regular expression is found.

        They are in order, at most ``limit``, after one of them. Raises as asyncpg for an invalid expression, or if it
        takes longer than PATIENCE_MS.
        """
        names = _SEPARATOR.join(filter(None, [await self._names(connection, run), _joined(others)]))
        async with connection.transaction(readonly=True):
            await connection.execute(f"set local statement_timeout = {PATIENCE_MS}")
            rows = await connection.fetch(QUERIES["matching"], names, pattern, after, limit, _SEPARATOR)
        return [row["name"] for row in rows]

    async def _names(self, connection: Connection, run: RunPath) -> str:
        key = run_key(run)
        version = await connection.fetchval(QUERIES["version"], key)
        held = self._kept.get(key)
        if held is None or held[0] != version:
            row = await connection.fetchrow(QUERIES["packed_keys"], key)
            if row is None:
                return ""
            names = await asyncio.to_thread(
                lambda: _joined([one for part in row["parts"] for one in numeric_keys(part)])
            )
            held = (row["version"], names)
        if len(held[1]) <= _LONGEST:
            self._kept[key] = held
            self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return held[1]


def _joined(names: Sequence[str]) -> str:
    if _UNKNOWN.search("".join(names)):
        names = [name for name in names if not _UNKNOWN.search(name)]
    return _SEPARATOR.join(names)
