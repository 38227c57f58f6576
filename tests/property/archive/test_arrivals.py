"""Rows are read once, in the order of their arrival, while they are archived."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.archive import arrivals
from runstream_consumers.history.arrivals.rows import BEGINNING, Place, RowSelection, rows_after, rows_at
from runstream_consumers.runtime.postgres.run_key import run_key
from tests.property.archive.histories import RUN, STREAM, History, logged
from tests.property.archive.test_archived_rows import _BLOCK, _NAMES, comparable

if TYPE_CHECKING:
    from runstream_consumers.history.reader import HistoryRow

_KEYS = st.one_of(st.none(), st.lists(_NAMES, max_size=3))


class Follower:
    """Reads a history page by page, between which rows arrive and are archived."""

    def __init__(self, blocks: list[Any], seed: int, keys: list[str] | None) -> None:
        self._random = random.Random(seed)
        self._selection = RowSelection(RUN, STREAM, keys)
        self._key = run_key(RUN)
        self._facts, self._blocks = logged(blocks)
        self.history = History()
        self.history.add(self._key, self._facts, ())

    def arrive(self) -> None:
        """Store some of the blocks that have not arrived yet."""
        count = self._random.randint(0, min(3, len(self._blocks)))
        arrived, self._blocks = self._blocks[:count], self._blocks[count:]
        for target in (self.history.whole, self.history.hot):
            target.blocks[self._key] += arrived

    def archive(self) -> None:
        """Archive any of the blocks that have arrived, or join all parts."""
        count = len(self.history.hot.blocks[self._key])
        if count:
            self.history.archive_blocks(self._key, self._random.sample(range(count), self._random.randint(0, count)))
        if self._random.random() < 0.3:
            self.history.join_parts(self._key)

    async def follow(self) -> list[HistoryRow]:
        """Return the rows of all pages, of at most a few rows each, until nothing more arrives."""
        rows: list[HistoryRow] = []
        place = BEGINNING
        while True:
            self.arrive()
            self.archive()
            page = await rows_after(self.history.stored, self._selection, place, limit=self._random.randint(1, 9))
            assert not page.rows or page.end >= Place(page.rows[-1].offset, 0)
            rows += page.rows
            if page.end == place and not self._blocks:
                return rows
            place = page.end

    async def expected(self) -> list[HistoryRow]:
        """Return the rows of each message, by offset, from the table that has them all."""
        offsets = sorted({block.offset for block in self.history.whole.blocks[self._key]})
        return [row for offset in offsets for row in await rows_at(self.history.whole, self._selection, offset)]


@given(st.lists(_BLOCK, min_size=1, max_size=12), st.integers(0, 99), _KEYS, st.integers(1, 12))
def test_a_follower_gets_every_row_once_and_in_order(
    blocks: list[Any], seed: int, keys: list[str] | None, values: int
) -> None:
    """However large pages are, and whatever is archived, joined or stored between them."""
    follower = Follower(blocks, seed, keys)

    async def read() -> None:
        # So that few rows are several pages.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrivals, "_MOST_VALUES", values)
            rows = await follower.follow()
        assert comparable(rows) == comparable(await follower.expected())
        places = [(row.offset, row.order) for row in rows]
        assert places == sorted(set(places))

    asyncio.run(read())
