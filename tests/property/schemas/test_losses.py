"""Lost records: any markers in any order are counted exactly, in bounded space."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas.losses import MAX_REASONS, MAX_SPANS, Loss, Losses, count_lost, merge

#: Disjoint markers: how many records come between, how many are lost, and why.
markers = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from("abc")), max_size=40)


def spans_of(found: list[tuple[int, int, str]]) -> list[tuple[str, tuple[int, int]]]:
    """Return the ranges of markers with their reasons."""
    placed, at = [], 0
    for gap, count, reason in found:
        placed.append((reason, (at + gap, at + gap + count)))
        at += gap + count
    return placed


@given(markers, st.randoms(use_true_random=False), st.integers(1, 5))
def test_losses_are_exact_and_joined(found: list[tuple[int, int, str]], chance: object, size: int) -> None:
    """In any order and division, each lost number has its reason, and ranges of one reason do not touch."""
    placed = spans_of(found)
    chance.shuffle(placed)  # type: ignore[attr-defined]
    losses: Losses = ()
    for start in range(0, len(placed), size):
        added: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for reason, span in placed[start : start + size]:
            added[reason].append(span)
        losses = tuple(Loss.from_json(loss.to_json()) for loss in merge(losses, added))

    numbers = {(seq, loss.reason) for loss in losses for span in loss.spans for seq in range(*span)}
    assert numbers == {(seq, reason) for reason, span in placed for seq in range(*span)}
    assert count_lost(losses) == len(numbers)
    for loss in losses:
        assert all(stop < first for (_, stop), (first, _) in zip(loss.spans, loss.spans[1:], strict=False))


def test_adjacent_markers_take_one_range() -> None:
    """A hundred thousand markers of adjacent records are one range."""
    losses: Losses = ()
    for start in range(0, 100_000, 1_000):
        losses = merge(losses, {"the disk was full": [(seq, seq + 1) for seq in range(start, start + 1_000)]})

    assert losses == (Loss("the disk was full", 100_000, ((0, 100_000),)),)


def test_scattered_markers_are_bounded() -> None:
    """The number of reasons and of ranges is bounded, and the count remains exact."""
    losses: Losses = ()
    for number in range(5_000):
        losses = merge(losses, {f"reason {number % 100}" * 100: [(2 * number, 2 * number + 1)]})

    assert count_lost(losses) == 5_000
    assert len(losses) <= MAX_REASONS + 1
    assert sum(len(loss.spans) for loss in losses) <= MAX_SPANS
