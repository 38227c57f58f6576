"""The trimming of repeated records, compared with a set of numbers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runstream_consumers.runtime.progress.spans import UNTOUCHED, advance


class Trimming(RuleBasedStateMachine):
    """Blocks in any order, repeated, overlapping and divided differently."""

    def __init__(self) -> None:
        super().__init__()
        self.progress = UNTOUCHED
        self.applied: set[int] = set()

    @rule(seq=st.integers(0, 60), count=st.integers(0, 12))
    def block(self, seq: int, count: int) -> None:
        """The fresh numbers are those that the model lacks."""
        spans, self.progress = advance(self.progress, seq, count)
        fresh = [number for span in spans for number in range(*span)]
        assert sorted(set(range(seq, seq + count)) - self.applied) == fresh
        self.applied |= set(fresh)

    @rule(count=st.integers(1, 12))
    def following(self, count: int) -> None:
        """The next block is completely fresh, in one span."""
        seq = self.progress.next
        spans, self.progress = advance(self.progress, seq, count)
        assert spans == ((seq, seq + count),)
        self.applied |= set(range(seq, seq + count))

    @invariant()
    def covers_what_was_applied(self) -> None:
        """The numbers below next except the holes are those in the model."""
        holes = {number for hole in self.progress.holes for number in range(*hole)}
        assert set(range(self.progress.next)) - holes == self.applied

    @invariant()
    def keeps_holes_in_order(self) -> None:
        """Holes are ascending, not empty, separate, and below next."""
        edges = [edge for hole in self.progress.holes for edge in hole]
        assert sorted(set(edges)) == edges
        assert all(edge < self.progress.next for edge in edges)


TestTrimming = Trimming.TestCase


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=20))
def test_spans_of_a_block_do_not_touch(blocks: list[tuple[int, int]]) -> None:
    """The fresh spans of a block are separate."""
    progress = UNTOUCHED
    for seq, count in blocks:
        spans, progress = advance(progress, seq, count)
        assert all(first[1] < second[0] for first, second in pairwise(spans))
