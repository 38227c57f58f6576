"""Selection of columns by key. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runstream_schemas.events import ColumnType

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
    _known: dict[tuple[str, ...], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[str] | None, *, is_numeric: bool = False) -> Selection:
        """Return the selection of some keys."""
        return cls(None if keys is None else frozenset(keys), is_numeric)

    def accepts(self, path: tuple[str, ...], kind: ColumnType) -> bool:
        """Whether a column has to be decoded; called for every column of every block, so answers are remembered."""
        selected = self._known.get(path)
        if selected is None:
            selected = self._known[path] = path in self.always or self._selects(path)
        return selected and (not self.is_numeric or kind in _NUMERIC or path in self.always)

    def _selects(self, path: tuple[str, ...]) -> bool:
        return self.keys is None or not self.keys.isdisjoint(_ancestors(key_of(path)))


#: Selects every column, and no column: steps, times and orders are always decoded.
EVERY_COLUMN = Selection(None)
NO_COLUMN = Selection(frozenset())


def _ancestors(key: str) -> Iterable[str]:
    yield key
    for index, character in enumerate(key):
        if character == ".":
            yield key[:index]
