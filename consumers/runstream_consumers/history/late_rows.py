"""Filtering of late rows, block by block. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.history.blocks import Block
from runstream_schemas.events import LogEvent

_HELD = 65_536


@dataclass(slots=True)
class _Held:
    block: Block
    event: LogEvent
    #: The shown rows, without those found to be at a step that another row already has.
    good: NDArray[np.bool_]
    #: Rows for which that is not known yet.
    undecided: NDArray[np.bool_]


class LateRowFilter:
    """Holds blocks back until it is known which of their rows are late; blocks are added by their first step.

    Memory is bounded by the blocks that overlap at one step. Decided blocks are released at ``patience`` held rows.
    """

    def __init__(self, patience: int = _HELD) -> None:
        self._held: list[_Held] = []
        self._rows = 0
        self._least_patience = self._patience = patience

    def add(
        self, block: Block, event: LogEvent, shown: NDArray[np.bool_] | None
    ) -> Iterator[tuple[Block, LogEvent, NDArray[np.bool_]]]:
        """Add a block; yield the blocks whose rows are all decided, each with its rows that are shown and not late."""
        if self._rows >= self._patience:
            yield from self._decided(block.first_step)
            self._patience = max(self._least_patience, 2 * self._rows)
        good = np.ones(event.count, dtype=np.bool_) if shown is None else shown
        self._held.append(_Held(block, event, good.copy(), good.copy()))
        self._rows += event.count

    def rest(self) -> Iterator[tuple[Block, LogEvent, NDArray[np.bool_]]]:
        """Yield the blocks that are still held, after the last block was added."""
        yield from self._decided(None)

    def _decided(self, least: int | None) -> Iterator[tuple[Block, LogEvent, NDArray[np.bool_]]]:
        self._exclude_taken(least)
        ready = [held for held in self._held if not held.undecided.any()]
        self._held = [held for held in self._held if held.undecided.any()]
        self._rows = sum(held.event.count for held in self._held)
        for held in ready:
            yield held.block, held.event, held.good & ~held.block.late(held.event)

    def _exclude_taken(self, least: int | None) -> None:
        """Exclude the rows below a step that are not the first at their step."""
        chosen = []
        for held in self._held:
            now = held.undecided if least is None else held.undecided & (held.event.steps < least)
            held.undecided = held.undecided & ~now
            chosen.append(np.flatnonzero(now))
        sizes = [len(rows) for rows in chosen]
        if not sum(sizes):
            return
        steps = np.concatenate([held.event.steps[rows] for held, rows in zip(self._held, chosen, strict=True)])
        orders = np.concatenate([held.event.orders[rows] for held, rows in zip(self._held, chosen, strict=True)])
        numbers = np.repeat(np.arange(len(self._held)), sizes)
        ranks = np.array([held.block.rank for held in self._held])[numbers]
        offsets = np.concatenate(
            [held.block.offsets(held.event.count)[rows] for held, rows in zip(self._held, chosen, strict=True)]
        )
        sorting = np.lexsort((orders, offsets, ranks, steps))
        again = np.flatnonzero(np.diff(steps[sorting]) == 0) + 1
        taken = sorting[again]
        if not len(taken):
            return
        rows = np.concatenate(chosen)
        taken = taken[np.argsort(numbers[taken], kind="stable")]
        places, starts = np.unique(numbers[taken], return_index=True)
        for number, of_block in zip(places.tolist(), np.split(taken, starts[1:]), strict=True):
            self._held[number].good[rows[of_block]] = False
