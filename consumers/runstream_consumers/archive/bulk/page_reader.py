"""Read a page of stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runstream_consumers.archive.bulk.chunks import Chunk, UnsuitableError, group_bytes, read_chunk, with_values
from runstream_consumers.archive.bulk.page import BulkPage
from runstream_consumers.archive.bulk.stretches import Stretch
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.reader import page_budget
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.tables.row_table import Cursor

#: Rows that are read at once, and about how many bytes of memory they take.
_ROWS, _BYTES = 131_072, 16 * 1024 * 1024
#: Rows that are read at once at least: for a small page of rare keys.
_FEWEST = 8192
#: Bytes of a row group above which rows are read in order, which takes less memory.
_LARGEST_GROUP = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class PageReader:
    """Reads one page.

    Args:
        selection: The columns that are wanted.
        limit: Maximum number of rows.
        values: Number of values after which the page may be short.
        with_times: Whether the times of rows are wanted.
    """

    selection: Selection
    limit: int
    values: int
    with_times: bool
    _chunks: list[Chunk] = field(default_factory=list)
    #: Rows that may still be examined.
    _budget: int = field(init=False)
    #: The last step that was examined.
    _reached: int | None = None

    def __post_init__(self) -> None:
        self._budget = page_budget(self.limit)

    def read(self, stretches: Sequence[Stretch], end: int | None) -> BulkPage | None:
        """Return the page; ``end`` is the step after which the view has other rows than those of the stretches.

        None if the first rows are not by ascending steps, or too wide.
        """
        try:
            for stretch in stretches:
                if not self._read(stretch):
                    return self._page(self._reached)
        except UnsuitableError:
            return None if self._reached is None else self._page(self._reached)
        return self._page(end)

    def _read(self, stretch: Stretch) -> bool:
        """Read rows of a stretch; return whether it was read to the end."""
        if self.selection.keys is not None and not stretch.part.selected(self.selection):
            return True
        rest: Stretch | None = stretch
        of_group = len(stretch.part.selected(self.selection)) * stretch.part.index.group_rows
        while rest is not None:
            # The rest of a row group would be decoded for this page and for the next one.
            is_full = self.values <= 0 or (self._chunks and self.values < of_group)
            if self.limit <= 0 or self._budget <= 0 or is_full:
                return False
            piece, rest = rest.divided(self._rows(rest))
            if not self._add(read_chunk(piece, self.selection, with_times=self.with_times)):
                return False
        return True

    def _rows(self, stretch: Stretch) -> int:
        """Return how many rows to read at once."""
        part, columns = stretch.part, len(stretch.part.selected(self.selection))
        size = group_bytes(part, self.selection, stretch.start // part.index.group_rows)
        if size > _LARGEST_GROUP:
            raise UnsuitableError
        fitting = max(1, _BYTES // max(1, size)) * part.index.group_rows
        return max(1, min(_ROWS, fitting, max(self.limit, _FEWEST), self.values // max(1, columns)))

    def _add(self, chunk: Chunk) -> bool:
        """Add rows; return whether all of them are on the page."""
        if not len(chunk):
            return True
        self._budget -= len(chunk)
        self._reached = int(chunk.steps[-1])
        wanted = chunk if self.selection.keys is None else with_values(chunk)
        is_whole = len(wanted) <= self.limit
        if not is_whole:
            wanted = wanted.cut(0, self.limit)
            self._reached = int(wanted.steps[-1])
        self.limit -= len(wanted)
        self.values -= wanted.values
        if len(wanted):
            self._chunks.append(wanted)
        return is_whole

    def _page(self, end: int | None) -> BulkPage:
        following = None if end is None else Cursor(end, GREATEST, GREATEST, GREATEST)
        return BulkPage(chunks=self._chunks, next=following)
