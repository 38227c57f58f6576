"""Recognizing histograms among logged values. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: A histogram has at most so many bins.
_MOST_BINS = 1000


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram: the edges of its bins, and a number for each bin."""

    edges: list[float]
    counts: list[float]

    def __str__(self) -> str:
        """Return its range and its sum in words."""
        return f"histogram of {sum(self.counts):.6g} values from {self.edges[0]:.5g} to {self.edges[-1]:.5g}"


def histogram_of(value: Any) -> Histogram | None:
    """Return the histogram that a logged dict describes, as Runstream and W&B write it; None for any other value."""
    if not isinstance(value, Mapping) or value.get("_type") != "histogram":
        return None
    counts, edges = _numbers(value.get("values")), _numbers(value.get("bins")) or _packed(value.get("packedBins"))
    if not counts or len(edges) != len(counts) + 1 or len(counts) > _MOST_BINS:
        return None
    if edges != sorted(edges) or not math.isfinite(edges[-1] - edges[0]) or not math.isfinite(sum(counts)):
        return None
    return Histogram(edges, [max(count, 0.0) for count in counts])


def histograms(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Histogram]]:
    """Yield the histograms in nested dicts by their dotted path."""
    for key, value in tree.items():
        found = histogram_of(value)
        if found is not None:
            yield f"{prefix}{key}", found
        elif isinstance(value, Mapping):
            yield from histograms(value, f"{prefix}{key}.")


def _packed(bins: Any) -> list[float]:
    """Return the edges of bins of equal size, given by the first edge, the size and the number of edges or bins."""
    if not isinstance(bins, Mapping):
        return []
    first, size, count = (_number(bins.get(name)) for name in ("min", "size", "count"))
    if first is None or size is None or count is None or not 0 < count <= _MOST_BINS:
        return []
    return [first + size * number for number in range(int(count) + 1)]


def _numbers(items: Any) -> list[float]:
    if not isinstance(items, list) or len(items) > _MOST_BINS + 1:
        return []
    found = [number for number in map(_number, items) if number is not None]
    return found if len(found) == len(items) else []


def _number(item: Any) -> float | None:
    if isinstance(item, bool) or not isinstance(item, int | float):
        return None
    try:
        number = float(item)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
