"""Numbers as one line of block characters."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
#: Shown for a bucket without finite numbers.
_GAP = "·"


def sparkline(values: Sequence[float | None], width: int = 40) -> str:
    """Return at most ``width`` characters. Each is the mean of its share of the values, scaled to their range.

    None, NaN and infinities are ignored; a share without other values is a gap.
    """
    means = [_mean(bucket) for bucket in _buckets(values, width)]
    if not (finite := [mean for mean in means if mean is not None]):
        return _GAP * len(means)
    low, high = min(finite), max(finite)
    return "".join(_GAP if mean is None else _BLOCKS[_level(mean, low, high)] for mean in means)


def _buckets(values: Sequence[float | None], width: int) -> list[Sequence[float | None]]:
    count = min(width, len(values))
    edges = [len(values) * index // count for index in range(count + 1)] if count else []
    return [values[start:end] for start, end in itertools.pairwise(edges)]


def _mean(bucket: Sequence[float | None]) -> float | None:
    finite = [value for value in bucket if value is not None and math.isfinite(value)]
    # Divided first, since the sum of large numbers may overflow.
    return math.fsum(value / len(finite) for value in finite) if finite else None


def _level(value: float, low: float, high: float) -> int:
    # Halves, since the range may overflow.
    span = high / 2 - low / 2
    if span == 0:
        return 0
    return min(len(_BLOCKS) - 1, int((value / 2 - low / 2) / span * len(_BLOCKS)))
