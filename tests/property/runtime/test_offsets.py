"""Decisions on offsets, compared with a simple model of a log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.runtime.progress.offsets import Drop, Gap, Keep, plan


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
def test_contiguous_batch_is_kept_from_next_on(next_offset: int, first: int, count: int) -> None:
    """Exactly the offsets from next on are kept, and the new next follows the last."""
    offsets = list(range(first, first + count))
    decision = plan(next_offset, offsets)
    if offsets[-1] < next_offset:
        assert isinstance(decision, Drop)
        assert decision.seek == (None if offsets[-1] + 1 == next_offset else next_offset)
    elif first > next_offset:
        assert decision == Gap((next_offset, first))
    else:
        assert isinstance(decision, Keep)
        assert offsets[decision.start : decision.stop] == list(range(next_offset, first + count))
        assert decision.next == first + count


@given(st.integers(0, 20), st.sets(st.integers(0, 40), min_size=1))
def test_messages_after_a_hole_are_not_kept(next_offset: int, present: set[int]) -> None:
    """Kept offsets begin at next and have no hole; those after a hole are left for the next batch."""
    offsets = sorted(present)
    decision = plan(next_offset, offsets)
    if isinstance(decision, Keep):
        kept = offsets[decision.start : decision.stop]
        assert kept == list(range(next_offset, decision.next))
        assert decision.stop == len(offsets) or offsets[decision.stop] > decision.next
