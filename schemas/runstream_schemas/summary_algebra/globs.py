"""Names with ``*``, each of which stands for any text, and finding the one that selects a key. Pure.

Writers only end names with ``*``. Of names with ``*`` elsewhere, which are compared one by one, few are in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

#: Names with ``*`` elsewhere than at the end that are in force: the longest.
FEW = 100


class GlobTable(Generic[T]):
    """Finds the longest of many names with ``*`` that selects a key; of equally long ones, the first by alphabet."""

    def __init__(self, named: Mapping[str, T]) -> None:
        self._named = named
        self._prefixes = {glob[:-1] for glob in named if _is_prefix(glob)}
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        others = sorted((glob for glob in named if not _is_prefix(glob)), key=_rank)
        self._others = others[:FEW]

    def find(self, key: str) -> T | None:
        """Return what belongs to the name that selects a key, or None."""
        lengths = (length for length in self._lengths if length <= len(key))
        prefix = next((key[:length] for length in lengths if key[:length] in self._prefixes), None)
        found = [] if prefix is None else [f"{prefix}*"]
        found += [glob for glob in self._others if selects(glob, key)]
        return self._named[min(found, key=_rank)] if found else None


def selects(glob: str, key: str) -> bool:
    """Return whether a name with ``*`` selects a key; each part is searched for once, from left to right."""
    first, *inner = glob.split("*")
    if not inner:
        return glob == key
    last = inner.pop()
    place, end = len(first), len(key) - len(last)
    if place > end or not (key.startswith(first) and key.endswith(last)):
        return False
    for part in inner:
        place = key.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def _is_prefix(glob: str) -> bool:
    return glob.endswith("*") and glob.count("*") == 1


def _rank(glob: str) -> tuple[int, str]:
    return -len(glob), glob
