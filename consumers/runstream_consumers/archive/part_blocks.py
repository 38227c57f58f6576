"""The blocks of a part: rows of one writer that follow each other, as ranges of the rows of the part. Pure.

Consecutive blocks of a writer are joined while their steps ascend, so that a run that was logged row by row has as few
blocks as one that was logged in large batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.pyramid.buckets import Buckets

#: Rows up to which consecutive blocks are joined.
JOINED_ROWS = 4096


class PartBlock(NamedTuple):
    """A range of rows of one writer, in the order of their arrival."""

    #: Number of the writer among those of the part.
    writer: int
    #: Number of its first row in the part.
    start: int
    rows: int
    first_step: int
    last_step: int
    #: Offset and sequence number of its first row, and the offset of its last.
    offset: int
    seq: int
    last_offset: int
    #: Greatest step that the writer logged before.
    greatest_before: int

    def joined(self, following: PartBlock) -> PartBlock | None:
        """Return this block with the one that follows it in the part, or None if they are to be separate.

        Rows are late by the same rule in the joined block: only blocks whose steps ascend are joined.
        """
        fits = (
            following.writer == self.writer
            and self.rows + following.rows <= JOINED_ROWS
            and following.first_step >= self.last_step
            and following.greatest_before == max(self.greatest_before, self.last_step)
        )
        if not fits:
            return None
        return self._replace(
            rows=self.rows + following.rows, last_step=following.last_step, last_offset=following.last_offset
        )


def divided(block: PartBlock, buckets: Buckets, rows: int) -> list[PartBlock]:
    """Return a block as blocks of about so many rows, at least those of a bucket, that begin where buckets begin.

    Nothing is read. The first and the last step of a piece may be those of buckets that it has only in part.
    """
    stop = block.start + block.rows
    inside = slice(*np.searchsorted(buckets.start, (block.start + 1, stop)))
    cuts = range(inside.start, inside.stop, max(1, rows // int(buckets.rows.max())))
    numbers = [int(np.searchsorted(buckets.start, block.start, side="right")) - 1, *cuts]
    pieces = []
    greatest = block.greatest_before
    for number, after in zip(numbers, [*numbers[1:], inside.stop], strict=True):
        start = max(block.start, int(buckets.start[number]))
        end = stop if after == inside.stop else int(buckets.start[after])
        last = min(block.last_step, int(buckets.last_step[number:after].max()))
        pieces.append(
            block._replace(
                start=start,
                rows=end - start,
                first_step=max(block.first_step, int(buckets.first_step[number:after].min())),
                last_step=last,
                offset=block.offset if start == block.start else int(buckets.offset[number]),
                seq=block.seq + start - block.start,
                last_offset=block.last_offset if end == stop else int(buckets.last_offset[after - 1]),
                greatest_before=greatest,
            )
        )
        greatest = max(greatest, last)
    return pieces


@dataclass(frozen=True, slots=True, eq=False)
class PartBlocks:
    """The blocks of a part by their first row, as arrays of one length; the fields are those of PartBlock."""

    writer: NDArray[np.int64]
    start: NDArray[np.int64]
    rows: NDArray[np.int64]
    first_step: NDArray[np.int64]
    last_step: NDArray[np.int64]
    offset: NDArray[np.int64]
    seq: NDArray[np.int64]
    last_offset: NDArray[np.int64]
    greatest_before: NDArray[np.int64]

    @classmethod
    def of(cls, blocks: Iterable[PartBlock]) -> Self:
        """Return the arrays of blocks that are ordered by their first row, after joining them."""
        joined: list[PartBlock] = []
        for block in blocks:
            if joined and (both := joined[-1].joined(block)) is not None:
                joined[-1] = both
            else:
                joined.append(block)
        table = np.array(joined, dtype=np.int64).reshape(-1, len(PartBlock._fields))
        return cls(*(np.ascontiguousarray(column) for column in table.T))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the blocks of :meth:`arrays`."""
        return cls(*(arrays[one.name] for one in fields(cls)))

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Return the arrays by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, number: int) -> PartBlock:
        return PartBlock(*(int(getattr(self, one.name)[number]) for one in fields(self)))

    def listed(self) -> list[PartBlock]:
        """Return all blocks."""
        return [
            PartBlock(*values) for values in zip(*(array.tolist() for array in self.arrays().values()), strict=True)
        ]
