"""Assigns the keys of a run to stored parts, so that a batch writes only the parts that it changed. Pure.

Keys whose paths begin with the same name are in the same part, since the projection of a name depends on no other name.
Names are assigned to parts in the order of their first appearance, so that keys that are logged together share a part.
Part 0 also has the latest row; it is always written. Names that were only assigned by hand have no keys: they are in
part 0 too, or, if they are many, in parts with negative numbers, by a hash of the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from zlib import crc32

from runstream_schemas.summary_algebra.key_state import KeyState, Path
from runstream_schemas.summary_algebra.projection import latest_row_fields, project
from runstream_schemas.summary_algebra.summary_state import SummaryState

#: Keys per part; they make a part of about 30 kB.
PART = 256
#: Parts for names that were only assigned by hand, if they are more than one part has.
_PARTS_BY_HAND = 128


class Layout:
    """The parts of one run. A part is full at ``full`` keys; only keys that begin with the same name exceed it."""

    def __init__(
        self, state: SummaryState, parts: Iterable[Iterable[Path]] = (), full: int = PART, *, by_hand: bool = False
    ) -> None:
        self._full = full
        self._keys = state.keys
        self.parts: list[list[Path]] = [list(part) for part in parts] or [[]]
        self._part_of = {path[0]: number for number, part in enumerate(self.parts) for path in part}
        self._known = sum(len(part) for part in self.parts)
        #: The part to which new names are added.
        self._filling = len(self.parts) - 1
        #: Names that were assigned by hand and never logged, by the number of their part if they have parts.
        self._by_hand: dict[int, set[str]] = {}
        self._only_assigned = 0
        #: Whether these names have parts; once they have, they keep them.
        self._has_parts_by_hand = by_hand
        self._add_by_hand(path[0] for path in state.manual.entries)

    def touched(self, state: SummaryState) -> list[int]:
        """Assign new names and keys to parts, and return the numbers of the parts to write, part 0 included."""
        if self._is_small(state):
            self._keys = state.keys
            return [0]
        discarded = state.keys is not self._keys
        if discarded:
            self._keys, self._known, self._part_of, self._filling = state.keys, 0, {}, 0
            self.parts = [[] for _ in self.parts]
        touched = {0}
        if self._known < len(state.keys):
            touched.update(map(self._assign, list(islice(reversed(state.keys), len(state.keys) - self._known))[::-1]))
        self._known = len(state.keys)
        everything = discarded or state.changed.rules
        self._add_by_hand((path[0] for path in state.manual.entries) if everything else state.changed.names)
        if not self._has_parts_by_hand and self._only_assigned > self._full:
            self._has_parts_by_hand = everything = True
        if everything:
            touched.update(range(len(self.parts)), self._by_hand if self._has_parts_by_hand else ())
        touched.update(self._number(name) for name in state.changed.names)
        return sorted(touched)

    def _is_small(self, state: SummaryState) -> bool:
        """Return whether all keys are in part 0, and are only assigned to it once there are more."""
        is_whole = len(self.parts) == 1 and not self._known and not self._has_parts_by_hand
        return is_whole and len(state.keys) <= self._full and not state.manual.entries

    def keys_of(self, state: SummaryState, part: int) -> Mapping[Path, KeyState]:
        """Return the states of the keys of a part."""
        if part < 0:
            return {}
        return state.keys if len(self.parts) == 1 else {path: state.keys[path] for path in self.parts[part]}

    def projections(self, state: SummaryState, parts: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the projections of parts."""
        found = {}
        for part in parts:
            keys = self.keys_of(state, part)
            is_whole = len(self.parts) == 1 and not self._has_parts_by_hand
            manual = state.manual if is_whole else state.manual.of(self._names(part, keys))
            found[part] = project(keys, manual, state.definitions, state.continues)
        return {part: tree if part else tree | latest_row_fields(state) for part, tree in found.items()}

    def _names(self, part: int, keys: Iterable[Path]) -> Iterable[str]:
        """Return the names in a part."""
        if part < 0:
            return self._by_hand[part]
        alone = self._by_hand.values() if part == 0 and not self._has_parts_by_hand else ()
        return {path[0] for path in keys}.union(*alone)

    def _number(self, name: str) -> int:
        return self._part_of.get(name, _hashed(name) if self._has_parts_by_hand else 0)

    def _add_by_hand(self, names: Iterable[str]) -> None:
        for name in names:
            alone = self._by_hand.setdefault(_hashed(name), set())
            if name not in self._part_of and name not in alone:
                alone.add(name)
                self._only_assigned += 1

    def _assign(self, path: Path) -> int:
        """Assign a key to a part; return its number, or that of the part that its name leaves."""
        number = self._part_of.get(path[0])
        left = None
        if number is None:
            if len(self.parts[self._filling]) >= self._full:
                self._filling += 1
                if self._filling == len(self.parts):
                    self.parts.append([])
            alone = self._by_hand.get(_hashed(path[0]), set()) if self._by_hand else set()
            if path[0] in alone:
                left = self._number(path[0])
                alone.remove(path[0])
                self._only_assigned -= 1
            number = self._part_of[path[0]] = self._filling
        self.parts[number].append(path)
        return number if left is None else left


def _hashed(name: str) -> int:
    return -1 - crc32(name.encode("utf-8", "surrogatepass")) % _PARTS_BY_HAND
