"""The rows at some places of a view, from its blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from runstream_consumers.history.blocks import Block
from runstream_consumers.history.sampling import Place
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.tables.row_table import RowTable, join


class RowPicker:
    """Collects the rows at some places from the blocks of a view."""

    def __init__(self, selection: Selection, places: Iterable[Place], *, late: bool) -> None:
        self._selection = selection
        self._places = {place: number for number, place in enumerate(places)}
        self._steps = np.array(sorted({place.step for place in self._places}), dtype=np.int64)
        self._late = late
        #: All rows at the steps of the places, since the first at a step is the only one that is not late.
        self._pieces: list[RowTable] = []

    def extend(self, blocks: Iterable[Block]) -> None:
        """Add the rows of blocks."""
        for block in blocks:
            first = np.searchsorted(self._steps, block.first_step, "left")
            if block.is_shown and first < np.searchsorted(self._steps, block.last_step, "right"):
                self._add(block)

    def table(self, limit: int) -> RowTable | None:
        """Return at most ``limit`` rows by step, after all blocks were added: one at each place, and then others.

        Several rows have one place if they were logged in the same microsecond. None if there are no rows.
        """
        if not self._pieces:
            return None
        table = join(self._pieces)
        if (order := table.ordered()) is not None:
            table = table.take(order)
        table = table.marked(table.late | ~table.first_at_step())
        ranked = sorted(self._ranked(table))[:limit]
        return table.take(np.array(sorted(row for *_, row in ranked), dtype=np.int64))

    def _add(self, block: Block) -> None:
        table = RowTable.of(block, block.payload.decode(self._selection))
        wanted = np.isin(table.steps, self._steps)
        if (shown := block.shown(table.steps)) is not None:
            wanted &= shown
        if wanted.any():
            self._pieces.append(table.take(np.flatnonzero(wanted)))

    def _ranked(self, table: RowTable) -> list[tuple[int, int, int]]:
        """Return the wanted rows: how many others at its place come first, the number of the place, the row."""
        count = [0] * len(self._places)
        found = []
        lists = (table.steps.tolist(), table.times.tolist(), table.source.tolist(), table.late.tolist())
        for row, (step, time, source, late) in enumerate(zip(*lists, strict=True)):
            number = self._places.get(Place(step, time, table.sources[source].writer))
            if number is not None and (self._late or not late):
                found.append((count[number], number, row))
                count[number] += 1
        return found
