"""Sizes of segments: how the next one is chosen and created."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from typing import TYPE_CHECKING

from runstream.spool.format import ALIGNMENT, SEGMENT_HEADER
from runstream.spool.segment import Segment

if TYPE_CHECKING:
    from pathlib import Path

SMALLEST_SEGMENT = 256 * 1024
LARGEST_SEGMENT = 4 * 1024 * 1024
#: Size used when the disk has no room for a whole segment.
LAST_RESORT = 16 * 1024
#: Kept free at the end of every segment for markers and the exit, so that they are recorded on a full disk.
RESERVE = 2048
_PAGE = 4096


class SegmentFactory:
    """Creates the segments of one writer, each twice as large as the one before, up to a limit.

    Creating a segment takes milliseconds. An append that arrives meanwhile, from a signal handler or another thread,
    gets a small one that is not mapped, which takes far less time: otherwise each handler could be interrupted by the
    next one while it creates a segment, until the stack is full. The large segment is kept for the next rotation. A
    record larger than the limit gets a segment of its size.
    """

    def __init__(self, folder: Path, writer: bytes, *, smallest: int, largest: int, mapped: bool) -> None:
        self.folder = folder
        self._writer = writer
        self._size = smallest
        self._largest = largest
        self._mapped = mapped
        self._spare: deque[Segment] = deque()
        self._drafts = itertools.count()
        #: The calls of :meth:`create` that are in progress.
        self._creating: set[object] = set()

    def first(self) -> Segment:
        """Create the first segment."""
        segment = self._segment(self._size)
        segment.assign(0, 0)
        return segment

    def create(self, record: int) -> Segment:
        """Return a segment that has room for a record of so many bytes; it has no number yet."""
        needed = self.room_for(record)
        least = max(LAST_RESORT, needed)
        if self._creating:
            return self._segment(least, mapped=False)
        self._creating.add(call := object())
        try:
            with contextlib.suppress(IndexError):  # without a check first: another thread may take the last one
                if (spare := self._spare.pop()).size >= needed:
                    return spare
            size = max(self._size, needed)
            try:
                segment = self._segment(size)
            except OSError:
                if least >= size:
                    raise
                return self._segment(least)
            self._size = max(self._size, min(self._size * 2, self._largest))
            return segment
        finally:
            self._creating.discard(call)

    @staticmethod
    def room_for(record: int) -> int:
        """Return the size of a segment with one record of so many bytes."""
        return -(-(record + SEGMENT_HEADER.size + RESERVE + ALIGNMENT) // _PAGE) * _PAGE

    def grown(self, segment: Segment, record: int) -> Segment:
        """Return a segment with room for another record of so many bytes; raises OSError. See :meth:`Segment.grown`."""
        return segment.grown(max(self._size, self.room_for(record)))

    def give_back(self, segment: Segment) -> None:
        """Keep a segment that was not used for the next rotation."""
        self._spare.append(segment)

    def close(self) -> None:
        """Remove the segments that were not used."""
        self._spare.clear()
        with contextlib.suppress(OSError):  # the folder was moved, or the user of this process may not use it
            for draft in self.folder.glob("*.new"):
                draft.unlink(missing_ok=True)

    def _segment(self, size: int, *, mapped: bool = True) -> Segment:
        while True:
            # A child that was forked in the middle of this may have used the same name.
            with contextlib.suppress(FileExistsError):
                draft = self.folder / f"{next(self._drafts)}.new"
                return Segment.create(draft, size, self._writer, mapped=mapped and self._mapped)
