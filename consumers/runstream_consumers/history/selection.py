"""Selection of columns by key. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runstream_consumers.history.column_reader import ColumnReader
from runstream_schemas.codec import decode_columns
from runstream_schemas.events import ColumnType, LogEvent

#: A tuple, since an enum hashes more slowly than it compares.
_NUMERIC = (ColumnType.FLOAT64, ColumnType.INT64, ColumnType.BOOL)


def key_of(path: Iterable[str]) -> str:
    """Return the key of a column: the names of its path joined by dots."""
    return ".".join(path)


@dataclass(slots=True)
class Selection:
    """The columns that a reader wants.

    Args:
        keys: Each selects the column of that key and all columns below it; None selects every column.
        is_numeric: Whether only columns of numbers and booleans are selected.
    """

    keys: frozenset[str] | None
    is_numeric: bool = False
    #: Paths that are selected whatever the keys are.
    always: frozenset[tuple[str, ...]] = frozenset()
    _reader: ColumnReader | None = None
    #: The lengths of the keys.
    _lengths: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._lengths = sorted({len(key) for key in self.keys or ()})

    @classmethod
    def of(cls, keys: Iterable[str] | None, *, is_numeric: bool = False) -> Selection:
        """Return the selection of some keys."""
        return cls(None if keys is None else frozenset(keys), is_numeric)

    def read(self, message: bytes) -> LogEvent:
        """Return the block in a stored message with the selected columns."""
        if self.keys is None:
            return decode_columns(message, self.accepts)
        if self._reader is None:
            names = {key.partition(".")[0] for key in self.keys} | {path[0] for path in self.always}
            self._reader = ColumnReader(self.accepts, names)
        return self._reader.read(message)

    def accepts(self, path: tuple[str, ...], kind: ColumnType) -> bool:
        """Whether a column has to be decoded."""
        if path in self.always:
            return True
        return (not self.is_numeric or kind in _NUMERIC) and self._selects(path)

    def _selects(self, path: tuple[str, ...]) -> bool:
        if self.keys is None:
            return True
        # One character more than the longest key: a key can have thousands of dots, each of which ends a dict's name.
        key = f"{key_of(path)}."
        return any(key[length : length + 1] == "." and key[:length] in self.keys for length in self._lengths)


#: Selects every column, and no column: steps, times and orders are always decoded.
EVERY_COLUMN = Selection(None)
NO_COLUMN = Selection(frozenset())
