"""Reduced series keep what a chart must show."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.history.sampling import EVERY_ROW, Place, Sampler, Series, choose_rows, thin

points = st.lists(
    st.tuples(st.integers(-1000, 1000), st.floats(allow_nan=True, allow_infinity=True)), min_size=1, max_size=300
)


def series_of(items: list[tuple[int, float]]) -> Series:
    """Return points as a series whose times are ten times the steps."""
    steps = np.array([step for step, _ in items], dtype=np.int64)
    return Series(steps=steps, times=steps * 10, values=np.array([value for _, value in items], dtype=np.float64))


def pairs(series: Series) -> list[tuple[int, str]]:
    """Return the points in a form in which NaN equals NaN."""
    return [(step, repr(value)) for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True)]


@given(points, st.integers(4, 60))
def test_a_reduced_series_has_few_logged_points_in_order(items: list[tuple[int, float]], samples: int) -> None:
    """There are at most as many points as requested; each was logged, in order of step, with its time."""
    thinned = thin(series_of(items), samples)
    assert len(thinned.steps) <= samples
    assert set(pairs(thinned)) <= set(pairs(series_of(items)))
    assert sorted(thinned.steps.tolist()) == thinned.steps.tolist()
    assert (thinned.steps * 10).tolist() == thinned.times.tolist()


@given(points, st.integers(4, 60))
def test_extremes_and_ends_are_kept(items: list[tuple[int, float]], samples: int) -> None:
    """The minimum, the maximum, and the values at the first and the last step are kept."""
    thinned = thin(series_of(items), samples)
    numbers = [value for _, value in items if not math.isnan(value)]
    kept = [value for value in thinned.values.tolist() if not math.isnan(value)]
    assert (min(numbers, default=0.0), max(numbers, default=0.0)) == (min(kept, default=0.0), max(kept, default=0.0))
    steps = [step for step, _ in items]
    assert (min(steps), max(steps)) == (thinned.steps[0], thinned.steps[-1])


@given(points)
def test_a_short_series_is_unchanged(items: list[tuple[int, float]]) -> None:
    """A series with no more points than requested keeps all of them."""
    thinned = thin(series_of(items), max(4, len(items)))
    assert sorted(pairs(series_of(items))) == sorted(pairs(thinned))


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats()), max_size=60), st.integers(1, 70))
def test_as_many_rows_are_chosen_as_requested(rows: list[dict[str, float]], samples: int) -> None:
    """The rows are distinct, with both ends, and with each key's extremes if there is room for them."""
    columns: dict[str, list[tuple[int, float]]] = {EVERY_ROW: [(step, 0.0) for step in range(len(rows))]}
    for step, row in enumerate(rows):
        for key, value in row.items():
            columns.setdefault(key, []).append((step, value))
    series = {(key, b"w"): series_of(points) for key, points in columns.items() if points}
    places = choose_rows(series, samples)
    assert len(set(places)) == len(places) == min(samples, len(rows))
    assert places == sorted(places)
    assert {(place.time, place.writer) for place in places} <= {(step * 10, b"w") for step in range(len(rows))}
    steps = {place.step for place in places}
    if samples >= 2 and rows:
        assert {0, len(rows) - 1} <= steps
    if samples >= 8:
        for points in columns.values():
            numbers = {value for _, value in points if not math.isnan(value)}
            kept = {value for step, value in points if step in steps and not math.isnan(value)}
            assert kept >= {min(numbers), max(numbers)} if numbers else not kept


def test_rows_of_several_writers_are_chosen() -> None:
    """Rows of two writers at one step are two rows."""
    one = series_of([(step, 0.0) for step in range(20)])
    places = choose_rows({(EVERY_ROW, b"a"): one, (EVERY_ROW, b"b"): one}, 30)
    assert len(set(places)) == 30
    assert {Place(0, 0, b"a"), Place(19, 190, b"b")} <= set(places)


def test_a_million_points_in_parts_keep_one_spike() -> None:
    """Points that are reduced in several parts keep the one spike, with bounded memory."""
    sampler = Sampler(samples=100)
    for part in range(100):
        steps = np.arange(part * 10_000, (part + 1) * 10_000)
        values = np.zeros(10_000)
        values[777] = 5.0 if part == 63 else 0.0
        sampler.add(steps, steps * 10, values)
    series = sampler.series()
    assert (630_777, 5.0) in list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
    ends = series.steps[[0, -1]].tolist()
    assert ends == [0, 999_999]
    assert len(series.steps) <= 100
