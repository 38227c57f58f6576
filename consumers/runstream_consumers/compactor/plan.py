"""What is to be compacted, and which parts are to be joined. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from runstream_consumers.archive.layout import PartRecord

#: Values of a part, and rows times columns, up to which parts are joined: what is in memory at once.
MOST_POINTS = 6_000_000
MOST_CELLS = 400_000_000
#: As many parts of about the same size are joined, so that each row is written again a few times at most.
_FANOUT = 8
_SMALLEST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class HotRun:
    """The blocks of a stream of a run in Postgres."""

    run: UUID
    stream: int
    blocks: int
    rows: int
    bytes: int
    #: Append time of the latest, microseconds since 1970.
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When blocks are archived; see the settings of the compactor."""

    rows: int
    bytes: int
    idle_s: float

    def is_large(self, hot: HotRun) -> bool:
        """Return whether a run has enough blocks to archive them while it goes on."""
        return hot.rows >= self.rows or hot.bytes >= self.bytes

    def is_idle(self, hot: HotRun, now: float) -> bool:
        """Return whether nothing of a run has arrived for so long that it has probably ended."""
        return now - hot.newest / 1e6 >= self.idle_s

    def due(self, runs: Sequence[HotRun], now: float) -> list[HotRun]:
        """Return the runs to compact, those that take the most space first."""
        found = [one for one in runs if self.is_large(one) or self.is_idle(one, now)]
        return sorted(found, key=lambda one: -one.bytes)


def parts_to_join(parts: Sequence[PartRecord], *, is_final: bool) -> list[PartRecord]:
    """Return parts of a run that are to be joined into one; fewer than two if none are.

    Eight parts of similar size are joined; if ``is_final``, any that follow each other, since no more will come.
    """
    ordered = sorted(parts, key=lambda part: part.last_offset)
    if is_final:
        return max(_runs_that_fit(ordered), key=len, default=[])
    by_size: dict[int, list[PartRecord]] = {}
    for part in ordered:
        by_size.setdefault(_size_class(part), []).append(part)
    for _, similar in sorted(by_size.items()):
        if len(similar) >= _FANOUT and len(found := _runs_that_fit(similar[:_FANOUT])[0]) > 1:
            return found
    return []


def _size_class(part: PartRecord) -> int:
    return int(math.log(max(part.points, _SMALLEST) / _SMALLEST, _FANOUT))


def _runs_that_fit(parts: Sequence[PartRecord]) -> list[list[PartRecord]]:
    """Divide parts, in their order, into groups that are small enough to be joined."""
    groups: list[list[PartRecord]] = []
    for part in parts:
        if groups and _fit([*groups[-1], part]):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _fit(parts: Sequence[PartRecord]) -> bool:
    rows, columns = sum(part.rows for part in parts), max(part.columns for part in parts)
    return sum(part.points for part in parts) <= MOST_POINTS and rows * max(columns, 1) <= MOST_CELLS
