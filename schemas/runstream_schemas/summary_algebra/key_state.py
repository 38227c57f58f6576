"""The state of one key, accumulated from all values that a run logged under one key path.

Folding is commutative and associative: the result depends neither on how rows were divided into blocks nor on the order
in which blocks are read. Duplicates must be removed before (``docs/summary.md``).
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
    """One value with the tag and the writer of its row."""

    tag: Tag
    writer: bytes
    value: Any


@dataclass(slots=True)
class KeyState:
    """Statistics of the numbers of a key, and its first and last value of any type except None.

    ``low``, ``high`` and ``sum`` cover finite numbers only; NaN and infinities are counted. Booleans are not numbers.
    """

    count: int = 0
    nan: int = 0
    #: Numbers of +inf and of -inf.
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

    def merge(self, other: KeyState) -> None:
        """Fold in the state of the same key that was accumulated from other rows."""
        if other.low is not None and other.high is not None:
            special = other.nan + other.above + other.below
            self.add_finite(other.count - special, other.low, other.high, other.sum)
        self.add_special(other.nan, other.above, other.below)
        if other.first is not None and other.last is not None:
            self.see(other.first, other.last)


def _before(value: Number, other: Number) -> bool:
    """Whether a number is smaller; an int comes before its equal float, so that the result of a tie is defined."""
    return value < other or (value == other and type(value) is int and type(other) is float)
