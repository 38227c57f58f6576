"""In which part of a run's stored state each key lies, so that a batch writes only the parts that it touched. Pure.

Keys whose paths begin with one name lie in one part: nothing that is shown of a name depends on any other. Names are
put into parts in the order in which they first appear, so that keys that are logged together lie together. What is not
logged but set by hand lies in part 0, and so does where the latest row stands; that part is always written.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from runstream_schemas.summary_algebra.projection import place, project

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runstream_schemas.summary_algebra.fold import RunFold
    from runstream_schemas.summary_algebra.key import KeyFold, Path

#: So many keys make a part some 30 kB large.
PART = 256


class Layout:
    """The parts of one run.

    Args:
        fold: The run as it was loaded.
        parts: The keys of each part, as they were stored.
        full: Keys at which a part is full; more only where they begin with one name.
    """

    def __init__(self, fold: RunFold, parts: Iterable[Iterable[Path]] = (), full: int = PART) -> None:
        self._full = full
        self._keys = fold.keys
        self.parts: list[list[Path]] = [list(part) for part in parts] or [[]]
        self._part_of = {path[0]: number for number, part in enumerate(self.parts) for path in part}
        self._known = sum(len(part) for part in self.parts)
        #: The part that new names go into.
        self._filling = len(self.parts) - 1

    def touched(self, fold: RunFold) -> list[int]:
        """Put new keys into parts, and return the numbers of the parts that are to be written, 0 first."""
        begun_anew = fold.keys is not self._keys
        if begun_anew:
            self._keys, self._known, self._part_of, self._filling = fold.keys, 0, {}, 0
            self.parts = [[] for _ in self.parts]
        for path in reversed(list(islice(reversed(fold.keys), len(fold.keys) - self._known))):
            self._place(path)
        self._known = len(fold.keys)
        if fold.changed.rules or begun_anew:
            return list(range(len(self.parts)))
        return sorted({0, *(self._part_of.get(name, 0) for name in fold.changed.names)})

    def keys_of(self, fold: RunFold, part: int) -> Mapping[Path, KeyFold]:
        """Return the folds of the keys of a part."""
        return fold.keys if len(self.parts) == 1 else {path: fold.keys[path] for path in self.parts[part]}

    def shown(self, fold: RunFold, part: int) -> dict[str, Any]:
        """Return what the summary shows of a part."""
        manual = fold.manual
        if manual.entries and len(self.parts) > 1:
            manual = manual.of(lambda name: self._part_of.get(name, 0) == part)
        tree = project(self.keys_of(fold, part), manual, fold.definitions, fold.continues)
        return tree if part else tree | place(fold)

    def _place(self, path: Path) -> None:
        number = self._part_of.get(path[0])
        if number is None:
            if len(self.parts[self._filling]) >= self._full:
                self._filling += 1
                if self._filling == len(self.parts):
                    self.parts.append([])
            number = self._part_of[path[0]] = self._filling
        self.parts[number].append(path)
