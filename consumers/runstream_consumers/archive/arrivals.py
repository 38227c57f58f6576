"""Archived rows in the order of their arrival, with the blocks that are not archived.

A part has its rows by writer, and parts may overlap, so rows of many blocks have to be merged. Of each block only the
offsets and sequence numbers are read for that; values are read of the rows that are returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.columns import OFFSET, ROW_COLUMNS, SEQ
from runstream_consumers.archive.layout import PartRecord
from runstream_consumers.archive.part_blocks import PartBlock
from runstream_consumers.history.blocks import Block

if TYPE_CHECKING:
    from runstream_consumers.archive.part import OpenPart

#: The offset and the sequence number of a row.
Place = tuple[int, int]
#: Rows of a page, and values, which are fewer rows if there are many columns.
_MOST_ROWS, _MOST_VALUES = 8192, 1_000_000
_PLACE = (ROW_COLUMNS.index(OFFSET), ROW_COLUMNS.index(SEQ))
#: Numbers of rows: source, number of the row in it, offset, sequence number.
Table = NDArray[np.int64]


@dataclass(slots=True)
class Arrivals:
    """The rows of some parts after a place; parts are opened as far as they are needed."""

    parts: Sequence[PartRecord]
    place: Place
    open: Callable[[PartRecord], Awaitable[OpenPart]]
    #: Makes a block of a block of a part.
    make: Callable[[OpenPart, PartBlock], Block]
    #: The blocks that may have such rows, by their first row.
    _blocks: list[tuple[OpenPart, PartBlock]] = field(default_factory=list)
    #: Of the first of them, the numbers of their rows that arrived after the place.
    _rows: list[Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = [part for part in self.parts if part.last_offset >= self.place[0]]
        self.parts = sorted(found, key=lambda part: part.first_offset)

    async def merged(self, hot: Sequence[Block]) -> list[Block]:
        """Return the next blocks by their arrival, each with consecutive rows; ``hot`` are the next ones elsewhere."""
        if not self.parts:
            return list(hot)
        columns = max(part.columns for part in self.parts)
        limit = min(max(_MOST_VALUES // max(columns, 1), 1), _MOST_ROWS)
        end = await self._read(limit)
        return await asyncio.to_thread(self._merge, hot, end, limit)

    async def _read(self, limit: int) -> int | None:
        """Read places of rows; return the offset before which none is missing, None if none is missing at all.

        Before that offset are at least ``limit`` rows after the place, unless there are fewer in all parts.
        """
        opened = wanted = 0
        while True:
            horizon = self.parts[opened].first_offset if opened < len(self.parts) else None
            known = [block for _, block in self._blocks if horizon is None or block.offset < horizon]
            wanted = min(max(2 * wanted, 1), len(known))
            end = known[wanted].offset if wanted < len(known) else horizon
            await asyncio.to_thread(self._read_places, wanted)
            if end is None or sum(int(np.count_nonzero(rows[2] < end)) for rows in self._rows) >= limit:
                return end
            if wanted == len(known):
                part = await self.open(self.parts[opened])
                found = [block for block in part.index.blocks.listed() if block.last_offset >= self.place[0]]
                # What was read comes before all blocks of a part that begins later.
                self._blocks = sorted([*self._blocks, *((part, block) for block in found)], key=_first_offset)
                opened += 1

    def _read_places(self, count: int) -> None:
        offset, seq = self.place
        for number in range(len(self._rows), count):
            part, block = self._blocks[number]
            offsets, seqs = part.row_columns(block.start, block.start + block.rows, _PLACE, 0)
            rows = np.flatnonzero((offsets > offset) | ((offsets == offset) & (seqs > seq)))
            self._rows.append(np.stack([np.full(len(rows), number), rows, offsets[rows], seqs[rows]]))

    def _merge(self, hot: Sequence[Block], end: int | None, limit: int) -> list[Block]:
        others = [[-1 - number, 0, block.offset, block.seq] for number, block in enumerate(hot)]
        table = np.concatenate([*self._rows, np.array(others, dtype=np.int64).reshape(-1, 4).T], axis=1)
        if end is not None:
            table = table[:, table[2] < end]
        if hot:  # There may be more, from the last one on.
            last, seq = hot[-1].offset, hot[-1].seq
            table = table[:, (table[2] < last) | ((table[2] == last) & (table[3] <= seq))]
        if table.shape[1] > limit:
            table = table[:, table[2] <= np.partition(table[2], limit)[limit]]
        table = table[:, np.lexsort((table[3], table[2]))]
        return [hot[-1 - source] if source < 0 else self._piece(source, rows) for source, rows in _pieces(table)]

    def _piece(self, source: int, rows: Table) -> Block:
        part, block = self._blocks[source]
        _, first, offset, seq = rows[:, 0].tolist()
        piece = block._replace(
            start=block.start + first, rows=rows.shape[1], offset=offset, seq=seq, last_offset=int(rows[2, -1])
        )
        return self.make(part, piece)


def _pieces(table: Table) -> list[tuple[int, Table]]:
    """Divide rows where the next one is not the next row of the same block, with the next sequence number."""
    if not table.shape[1]:
        return []
    source, row, _, seq = table
    follows = (np.diff(source) == 0) & (np.diff(row) == 1) & (np.diff(seq) == 1)
    edges = np.flatnonzero(~follows) + 1
    return [(int(piece[0, 0]), piece) for piece in np.split(table, edges, axis=1)]


def _first_offset(item: tuple[Any, PartBlock]) -> int:
    return item[1].offset
