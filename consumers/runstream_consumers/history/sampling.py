"""Thinning of long series that keeps the minimum and maximum of every interval. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Points held before they are thinned; thinning keeps a quarter, far more than is shown.
_HELD = 32_768


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The points of one key, by step; the arrays have the same length."""

    #: int64.
    steps: NDArray[np.int64]
    #: int64, microseconds since 1970.
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    #: How many logged points each of them represents; None if each represents itself.
    weights: NDArray[np.float64] | None = None


class OutlinePoints(NamedTuple):
    """Points of one metric and writer, some of which represent others."""

    key: str
    writer: bytes
    steps: NDArray[np.int64]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    #: How many logged points each of them represents; None if each represents itself.
    weights: NDArray[np.float64] | None


class Sampler:
    """Collects the points of one key, in any order, within bounded memory."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._held = max(_HELD, 8 * samples)
        self._parts: list[Series] = []
        self._points = 0

    def add(
        self,
        steps: NDArray[np.int64],
        times: NDArray[np.int64],
        values: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        """Add points; ``weights`` are the numbers of points that they represent."""
        self._parts.append(Series(steps=steps, times=times, values=values, weights=weights))
        self._points += len(steps)
        if self._points > self._held:
            thinned = thin(_joined(self._parts), self._held // 4)
            self._parts, self._points = [thinned], len(thinned.steps)

    def series(self) -> Series:
        """Return at most ``samples`` of the added points."""
        return thin(_joined(self._parts), self._samples)


def thin(series: Series, samples: int) -> Series:
    """Return at most ``samples`` (at least 4) points by step: both ends, and the least and greatest of each interval.

    Intervals hold the same number of logged points, so that an outlying step does not push all others into one. NaN is
    kept only if an interval holds nothing else.
    """
    order = None
    values, weights = series.values, series.weights
    if (series.steps[1:] < series.steps[:-1]).any():
        order = np.argsort(series.steps, kind="stable")
        values, weights = values[order], None if weights is None else weights[order]
    if len(values) > samples:
        interval = _intervals(len(values), weights, max(1, (samples - 2) // 2))
        kept = _extremes(values, interval)
        weights = _shared(interval, kept, weights)
        order = kept if order is None else order[kept]
    if order is None:
        return series
    return Series(steps=series.steps[order], times=series.times[order], values=series.values[order], weights=weights)


#: Rows of the buckets that charts may be drawn from; 0 for every row.
BUCKET_ROWS = (0, 256, 4096, 32_768)
#: Points that are read for a chart at most, however many writers a run has.
_MOST_POINTS = 1_000_000


def bucket_rows(rows: int, lines: int, samples: int) -> int:
    """Return the greatest of BUCKET_ROWS of which ``rows`` rows fill so many buckets that each line has enough points.

    A bucket has up to four. If all rows would be too many points, it is greater.
    """
    enough = [size for size in BUCKET_ROWS if size and rows >= lines * size * max(1, samples // 4)]
    cheap = [size for size in BUCKET_ROWS if rows * (4 / size if size else 1) <= _MOST_POINTS]
    return max([*enough[-1:], *cheap[:1]] or BUCKET_ROWS[-1:])


class Place(NamedTuple):
    """The place of a row: its step, its time, and its writer."""

    step: int
    time: int
    writer: bytes


#: The key of the series of all rows, whose values are 0.
EVERY_ROW = ""


def choose_rows(series: Mapping[tuple[str, bytes], Series], samples: int) -> list[Place]:
    """Return the places of at most ``samples`` rows: both ends, then the extremes of every key in ever more intervals.

    ``series`` are those of the keys and of all rows. There are fewer rows only if the series hold fewer.
    """
    keys = {place: one for place, one in series.items() if place[0] != EVERY_ROW}
    rows = {place: one for place, one in series.items() if place[0] == EVERY_ROW}
    every = sorted(place for key, one in rows.items() for place in _places(key, one))
    chosen = dict.fromkeys([*every[:1], *every[-1:], *_greatest_and_least(keys)][:samples])
    for candidates in (keys, rows):
        points, longest = 4, max((len(one.steps) for one in candidates.values()), default=0)
        while len(chosen) < samples and points < 2 * longest:
            points = 2 * points - 2
            found = {place for key, one in candidates.items() for place in _places(key, thin(one, points))}
            new = sorted(found - chosen.keys())
            room = samples - len(chosen)
            evenly = np.linspace(0, len(new) - 1, min(room, len(new))).round().astype(int).tolist()
            chosen |= dict.fromkeys(new[index] for index in evenly)
    return sorted(chosen)


def _greatest_and_least(keys: Mapping[tuple[str, bytes], Series]) -> list[Place]:
    """Return the greatest point of every key, then the least."""
    found = []
    for extreme in (np.nanargmax, np.nanargmin):
        for (_, writer), one in keys.items():
            if not np.isnan(one.values).all():
                index = extreme(one.values)
                found.append(Place(int(one.steps[index]), int(one.times[index]), writer))
    return found


def _places(key: tuple[str, bytes], series: Series) -> list[Place]:
    return [Place(step, time, key[1]) for step, time in zip(series.steps.tolist(), series.times.tolist(), strict=True)]


def _intervals(size: int, weights: NDArray[np.float64] | None, intervals: int) -> NDArray[np.int64]:
    """Return the interval of each point: ascending numbers."""
    if weights is None:
        return np.arange(size) * intervals // size
    middles = np.cumsum(weights) - weights / 2
    numbers: NDArray[np.int64] = (middles * (intervals / weights.sum())).astype(np.int64)
    return np.minimum(numbers, intervals - 1)


def _shared(
    interval: NDArray[np.int64], kept: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the weights of the points that are kept: those of their interval, in equal parts."""
    total = np.bincount(interval, weights)
    shares: NDArray[np.float64] = total / np.maximum(np.bincount(interval[kept], minlength=len(total)), 1)
    return shares[interval[kept]]


def _extremes(values: NDArray[np.float64], interval: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices, ascending, of both ends and of the least and greatest value of each interval."""
    starts = np.flatnonzero(np.concatenate(([True], interval[1:] != interval[:-1])))
    number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values))))
    missing = np.isnan(values)
    least = np.minimum.reduceat(np.where(missing, np.inf, values), starts)
    greatest = np.maximum.reduceat(np.where(missing, -np.inf, values), starts)
    # Of equal values, the first of the least and the last of the greatest. NaN equals nothing.
    lowest, highest = np.flatnonzero(values == least[number]), np.flatnonzero(values == greatest[number])
    changes = number[lowest[1:]] != number[lowest[:-1]]
    lowest = lowest[np.concatenate(([True], changes))] if len(lowest) else lowest
    changes = number[highest[1:]] != number[highest[:-1]]
    highest = highest[np.concatenate((changes, [True]))] if len(highest) else highest
    nothing_else = starts[np.logical_and.reduceat(missing, starts)]
    kept = np.zeros(len(values), dtype=np.bool_)
    for rows in ([0, len(values) - 1], lowest, highest, nothing_else):
        kept[rows] = True
    return np.flatnonzero(kept)


def _joined(parts: list[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    return Series(
        steps=np.concatenate([part.steps for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        weights=_joined_weights(parts),
    )


def _joined_weights(parts: list[Series]) -> NDArray[np.float64] | None:
    if all(part.weights is None for part in parts):
        return None
    return np.concatenate([np.ones(len(part.steps)) if part.weights is None else part.weights for part in parts])
