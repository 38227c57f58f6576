"""The pyramid: of each metric, points and the mean of every bucket, so that a chart needs few of its values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runstream_consumers.archive.pyramid.buckets import Buckets

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """One point of each bucket; arrays of one length."""

    steps: Numbers
    #: Microseconds since 1970.
    times: Numbers
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """What the pyramid has of one metric at one level, of the buckets in which it has values."""

    #: Numbers of the buckets, ascending.
    bucket: Numbers
    #: Number of values, and of those that are finite numbers, with their sum: the mean is ``total / finite``.
    count: Numbers
    finite: Numbers
    total: Floats
    #: The points at the least and the greatest step (of several, the one that arrived first or last), and those of the
    #: least and the greatest value (the first of several). NaN is an extreme only if a bucket has nothing else.
    first: Points
    last: Points
    least: Points
    greatest: Points

    @property
    def points(self) -> tuple[Points, Points, Points, Points]:
        """The four points of each bucket."""
        return self.first, self.last, self.least, self.greatest


def level_of(buckets: Buckets, rows: Numbers, steps: Numbers, times: Numbers, values: Floats) -> Level:
    """Return a level of a metric.

    Args:
        buckets: Those of the part.
        rows: The rows with a value, ascending; at least one.
        steps: The step of each value; as ``times``, it has one item per value.
        times: The time of each value.
        values: The values.
    """
    edges = np.append(np.searchsorted(rows, buckets.start), len(rows))
    bucket = np.flatnonzero(np.diff(edges))
    begins, counts = edges[bucket], np.diff(edges)[bucket]
    finite = np.isfinite(values)
    ends = begins + counts

    def at(index: Numbers) -> Points:
        return Points(steps[index], times[index], values[index])

    first, last = begins, ends - 1
    if (steps[1:] < steps[:-1]).any():
        first = _first_of(steps, np.minimum.reduceat(steps, begins), begins, counts)
        flipped = _first_of(steps[::-1], np.maximum.reduceat(steps, begins)[::-1], len(rows) - ends[::-1], counts[::-1])
        last = len(rows) - 1 - flipped[::-1]
    with np.errstate(over="ignore"):  # a sum of large numbers may be infinite
        total = np.add.reduceat(np.where(finite, values, 0.0), begins)
    return Level(
        bucket=bucket,
        count=counts,
        finite=np.add.reduceat(finite.astype(np.int64), begins),
        total=total,
        first=at(first),
        last=at(last),
        least=at(_first_of(values, np.fmin.reduceat(values, begins), begins, counts)),
        greatest=at(_first_of(values, np.fmax.reduceat(values, begins), begins, counts)),
    )


def _first_of(values: NDArray[np.generic], wanted: NDArray[np.generic], begins: Numbers, counts: Numbers) -> Numbers:
    """Return the index of the first value of each bucket that is the wanted one; of its first value if none is."""
    found = np.append(np.flatnonzero(values == np.repeat(wanted, counts)), len(values))
    first = found[np.searchsorted(found, begins)]
    return np.where(first < begins + counts, first, begins)
