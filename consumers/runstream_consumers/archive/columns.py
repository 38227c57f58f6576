"""The columns of archive files: which there are, what they are named, and in which file each is. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from runstream_consumers.history.selection import Selection, key_of
from runstream_schemas.events import ColumnType

#: A column is identified by its key path and the type of its values.
ColumnId = tuple[tuple[str, ...], ColumnType]

#: The columns that every archive file has, in their order in the file: those that every read needs come first.
STEP, TIME, ORDER, OFFSET = "_step", "_time", "_order", "_offset"
SEQ, WRITER, LATE, APPEND_TIME = "_seq", "_writer", "_late", "_append_time"
ROW_COLUMNS = (STEP, TIME, ORDER, OFFSET, SEQ, WRITER, LATE, APPEND_TIME)

#: Rows of a row group of new files: what has to be read for a value of one column. Parts have theirs in the index.
GROUP_ROWS = 8192
#: Columns of keys in one file; a row of more keys is stored in several files.
KEYS_PER_FILE = 1000


def sorting_key(column: ColumnId) -> tuple[str, tuple[str, ...], str]:
    """Return what columns are sorted by in files and indexes: the key, then what distinguishes columns of one key."""
    path, kind = column
    return key_of(path), path, kind.value


def column_names(columns: Iterable[ColumnId], others: Iterable[str] = (*ROW_COLUMNS, "")) -> list[str]:
    """Return the names of columns in Parquet and Arrow: the key.

    Of several columns of one key, the first has the key as its name and the others are named ``key#type``, with a
    number if necessary; so is a key that has the name of one of the ``others``, by default those of archive files.
    """
    taken = {*others}
    names = []
    for path, kind in columns:
        key = name = key_of(path)
        number = 1
        while name in taken:
            name = f"{key}#{kind.value}" if number == 1 else f"{key}#{kind.value}#{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


@dataclass(frozen=True, slots=True)
class Directory:
    """The columns of a part, sorted by :func:`sorting_key`; parallel lists."""

    columns: Sequence[ColumnId]
    names: Sequence[str]
    #: The position of each column among the columns of the rows as they were logged.
    ranks: Sequence[int]
    #: Number of values of each column.
    counts: Sequence[int]
    _keys: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keys", [key_of(path) for path, _ in self.columns])

    @property
    def files(self) -> int:
        """The number of files that the columns are distributed over; at least one."""
        return max(1, -(-len(self.columns) // KEYS_PER_FILE))

    def place(self, number: int) -> tuple[int, int]:
        """Return the file of a column and its position among the columns of that file."""
        file, position = divmod(number, KEYS_PER_FILE)
        return file, len(ROW_COLUMNS) + position

    def of_file(self, file: int) -> range:
        """Return the numbers of the columns of a file."""
        start = file * KEYS_PER_FILE
        return range(start, min(start + KEYS_PER_FILE, len(self.columns)))

    def selected(self, selection: Selection) -> list[int]:
        """Return the numbers of the selected columns, in the order in which they were logged."""
        found = [number for number in self._candidates(selection) if selection.accepts(*self.columns[number])]
        return sorted(found, key=self.ranks.__getitem__)

    def _candidates(self, selection: Selection) -> Iterable[int]:
        if selection.keys is None:
            return range(len(self.columns))
        wanted = selection.keys | {key_of(path) for path in selection.always}
        return {number for key in wanted for number in self._below(key)}

    def _below(self, key: str) -> Iterator[int]:
        """Yield the columns of a key and of all keys below it."""
        yield from range(bisect_left(self._keys, key), bisect_right(self._keys, key))
        # "/" follows "." in the order of characters.
        yield from range(bisect_left(self._keys, f"{key}."), bisect_left(self._keys, f"{key}/"))
