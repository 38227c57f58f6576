"""The columns of a table that is exported: their types follow from all values. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from runstream.public_api.frames import META, flat
from runstream_schemas import values as texts

if TYPE_CHECKING:
    from collections.abc import Mapping

_INT64 = range(-(2**63), 2**63)


class Kind(IntEnum):
    """The type of a column; of two, the greater one holds the values of both, except that TEXT holds any."""

    NULL = 0
    BOOL = 1
    INT = 2
    FLOAT = 3
    TEXT = 4


class Columns:
    """The columns of the rows so far, in the order in which they came; the keys that every row has are first."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def add(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Add a nested row; return it as a flat one, with keys joined by ``.``."""
        found = flat(row)
        for name, value in found.items():
            kind, known = kind_of(value), self._kinds.get(name)
            if known is None or known < kind:
                self._kinds[name] = _joined(known, kind)
            elif known != kind:
                self._kinds[name] = _joined(kind, known)
        return found

    @property
    def kinds(self) -> dict[str, Kind]:
        """The columns with their types."""
        first = {name: self._kinds[name] for name in META if name in self._kinds}
        return {**first, **self._kinds}


def kind_of(value: Any) -> Kind:
    """Return the type of the column that a value needs."""
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOL
    if isinstance(value, int):
        return Kind.INT if value in _INT64 else Kind.FLOAT
    return Kind.FLOAT if isinstance(value, float) else Kind.TEXT


def fitted(value: Any, kind: Kind) -> Any:
    """Return a value as its column holds it: in a column of text, what is no text is JSON."""
    if value is None or kind_of(value) is kind is not Kind.TEXT:
        return value
    if kind is Kind.FLOAT:
        return float(value)
    return value if isinstance(value, str) else texts.dump(value)


def _joined(smaller: Kind | None, greater: Kind) -> Kind:
    """Return the type that holds the values of two: numbers are joined, a boolean and a number are text."""
    if smaller is Kind.BOOL and greater in {Kind.INT, Kind.FLOAT}:
        return Kind.TEXT
    return greater
