"""The fold of one key: what is kept of all values that a run logged under one path.

Folding is commutative and associative, so that neither the cut of blocks nor the order in which they are read shows in
the result. Duplicates are taken out before (``docs/summary.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from runstream_schemas.summary_algebra.exact import ZERO, Exact, add

#: The names from the outermost dict to a value.
Path = tuple[str, ...]
#: Step, partition offset and order of a value: the greatest is the last one.
Tag = tuple[int, int, int]
Number = float


class Seen(NamedTuple):
    """One value with the row it stood in and the writer of that row."""

    tag: Tag
    writer: bytes
    value: Any


@dataclass(slots=True)
class KeyFold:
    """Statistics of the numbers of a key, and its first and last value of any type (None is passed over).

    ``low``, ``high`` and ``sum`` cover the finite numbers only; NaN and the infinities are counted. Booleans are no
    numbers.
    """

    count: int = 0
    nan: int = 0
    #: How many +inf and how many -inf.
    above: int = 0
    below: int = 0
    low: Number | None = None
    high: Number | None = None
    sum: Exact = ZERO
    first: Seen | None = None
    last: Seen | None = None

    def add_finite(self, count: int, low: Number, high: Number, total: Exact) -> None:
        """Fold finite numbers in, given their count, extremes and exact sum."""
        self.count += count
        self.sum = add(self.sum, total)
        if self.low is None or _before(low, self.low):
            self.low = low
        if self.high is None or _before(-high, -self.high):
            self.high = high

    def add_special(self, nan: int, above: int, below: int) -> None:
        """Fold NaN and infinities in."""
        self.count += nan + above + below
        self.nan += nan
        self.above += above
        self.below += below

    def see(self, first: Seen, last: Seen) -> None:
        """Fold the first and the last of some values in."""
        if self.first is None or first.tag < self.first.tag:
            self.first = first
        if self.last is None or last.tag > self.last.tag:
            self.last = last

    def merge(self, other: KeyFold) -> None:
        """Fold in what another fold of the same key has seen of other rows."""
        if other.low is not None and other.high is not None:
            special = other.nan + other.above + other.below
            self.add_finite(other.count - special, other.low, other.high, other.sum)
        self.add_special(other.nan, other.above, other.below)
        if other.first is not None and other.last is not None:
            self.see(other.first, other.last)


def _before(value: Number, other: Number) -> bool:
    """Whether a number is smaller; an int comes before its equal float, so that no tie is left to chance."""
    return value < other or (value == other and type(value) is int and type(other) is float)
