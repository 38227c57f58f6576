"""Assigns the keys of a run to stored parts, so that a batch writes only the parts that it changed. Pure.

Keys whose paths begin with the same name are in the same part, since the projection of a name depends on no other name.
Names are assigned to parts in the order of their first appearance, so that keys that are logged together share a part.
Part 0 also has the assignments to names that were never logged, and the latest row; it is always written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from runstream_schemas.summary_algebra.assignments import Assignments
from runstream_schemas.summary_algebra.key_state import KeyState, Path
from runstream_schemas.summary_algebra.projection import latest_row_fields, project
from runstream_schemas.summary_algebra.summary_state import SummaryState

#: Keys per part; they make a part of about 30 kB.
PART = 256


class Layout:
    """The parts of one run. A part is full at ``full`` keys; only keys that begin with the same name exceed it."""

    def __init__(self, state: SummaryState, parts: Iterable[Iterable[Path]] = (), full: int = PART) -> None:
        self._full = full
        self._keys = state.keys
        self.parts: list[list[Path]] = [list(part) for part in parts] or [[]]
        self._part_of = {path[0]: number for number, part in enumerate(self.parts) for path in part}
        self._known = sum(len(part) for part in self.parts)
        #: The part to which new names are added.
        self._filling = len(self.parts) - 1

    def touched(self, state: SummaryState) -> list[int]:
        """Assign new keys to parts, and return the numbers of the parts to write, 0 first."""
        discarded = state.keys is not self._keys
        if discarded:
            self._keys, self._known, self._part_of, self._filling = state.keys, 0, {}, 0
            self.parts = [[] for _ in self.parts]
        for path in reversed(list(islice(reversed(state.keys), len(state.keys) - self._known))):
            self._assign(path)
        self._known = len(state.keys)
        if state.changed.rules or discarded:
            return list(range(len(self.parts)))
        return sorted({0, *(self._part_of.get(name, 0) for name in state.changed.names)})

    def keys_of(self, state: SummaryState, part: int) -> Mapping[Path, KeyState]:
        """Return the states of the keys of a part."""
        return state.keys if len(self.parts) == 1 else {path: state.keys[path] for path in self.parts[part]}

    def projections(self, state: SummaryState, parts: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the projections of parts."""
        if len(self.parts) == 1:
            manual = {0: state.manual}
        else:
            manual = state.manual.grouped(lambda name: self._part_of.get(name, 0))
        found = {
            part: project(
                self.keys_of(state, part), manual.get(part, Assignments()), state.definitions, state.continues
            )
            for part in parts
        }
        return {part: tree if part else tree | latest_row_fields(state) for part, tree in found.items()}

    def _assign(self, path: Path) -> None:
        number = self._part_of.get(path[0])
        if number is None:
            if len(self.parts[self._filling]) >= self._full:
                self._filling += 1
                if self._filling == len(self.parts):
                    self.parts.append([])
            number = self._part_of[path[0]] = self._filling
        self.parts[number].append(path)
