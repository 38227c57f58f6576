"""The pyramid has the extremes of every bucket, and charts drawn from it show them at every zoom."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.archive.part import OpenPart
from runstream_consumers.archive.pyramid.buckets import buckets_of
from runstream_consumers.archive.pyramid.level_codec import decode_level, encode_level
from runstream_consumers.archive.pyramid.levels import level_of
from runstream_consumers.history import reader
from runstream_consumers.history.paging import rows_of
from runstream_consumers.history.reader import RowQuery
from runstream_consumers.runtime.postgres.run_key import run_key
from tests.property.archive.histories import RUN, History, logged

_POINT = st.tuples(st.integers(0, 2), st.integers(-(2**63), 2**63 - 1), st.one_of(st.none(), st.floats()))


@given(
    st.lists(_POINT, min_size=1, max_size=60).map(lambda points: sorted(points, key=lambda one: one[0])),
    st.integers(1, 9),
)
def test_a_level_has_count_extremes_and_ends_of_every_bucket(
    points: list[tuple[int, int, float | None]], size: int
) -> None:
    """Of each bucket with values: their number, the points at both ends, and the least and the greatest value."""
    writer, steps = (np.array(column, dtype=np.int64) for column in list(zip(*points, strict=True))[:2])
    numbers = np.arange(len(points))
    buckets = buckets_of(writer, steps, 3 * numbers, 7 * numbers, size)
    rows = np.array([number for number, (*_, value) in enumerate(points) if value is not None], dtype=np.int64)
    assert buckets.rows.sum() == len(points)
    assert all(buckets.rows <= size)
    if not len(rows):
        return
    values = np.array([points[row][2] for row in rows], dtype=np.float64)
    made = level_of(buckets, rows, steps[rows], 3 * rows, values)
    level = decode_level(encode_level(made, buckets), buckets)
    for index, bucket in enumerate(level.bucket.tolist()):
        start, stop = int(buckets.start[bucket]), int(buckets.start[bucket] + buckets.rows[bucket])
        of_bucket = [(points[row][1], 3 * row, points[row][2] or 0.0) for row in rows.tolist() if start <= row < stop]
        finite = [value for *_, value in of_bucket if math.isfinite(value)]
        assert len({points[row][0] for row in range(start, stop)}) == 1
        assert (level.count[index], level.finite[index]) == (len(of_bucket), len(finite))
        comparable = [value for *_, value in of_bucket if not math.isnan(value)]
        found = [(one.steps[index], one.times[index], one.values[index]) for one in level.points]
        assert all(repr((int(s), int(t), float(v))) in map(repr, of_bucket) for s, t, v in found)
        assert (found[0][0], found[1][0]) == (min(of_bucket)[0], max(of_bucket)[0])
        if comparable:
            assert (found[2][2], found[3][2]) == (min(comparable), max(comparable))
    assert set(level.bucket.tolist()) == set((np.searchsorted(buckets.start, rows, side="right") - 1).tolist())


def test_charts_without_late_rows_are_drawn_from_the_pyramid_if_there_are_none() -> None:
    """Rows of one writer that ascend are not decoded; as soon as one of them is late, they are."""
    decoded = []
    for late in (False, True):
        steps = [step if step != 9000 or not late else 17 for step in range(20_000)]
        history = History()
        blocks = [
            (0, steps[at : at + 500], [{"a": step} for step in steps[at : at + 500]]) for at in range(0, 20_000, 500)
        ]
        history.add(run_key(RUN), *logged(blocks))
        history.archive_blocks(run_key(RUN), range(40))
        stored = history.stored
        events = []
        read = OpenPart.event

        def counted(part: Any, *asked: Any) -> Any:
            events.append(asked)  # noqa: B023 — used in this round only
            return read(part, *asked)  # noqa: B023

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OpenPart, "event", counted)
            [found] = asyncio.run(reader.series(stored, RUN, RowQuery(late=False), samples=100)).values()
        assert (17 in found.steps.tolist()) <= (found.values[found.steps == 17] == [17]).all()
        assert (found.steps[0], found.steps[-1]) == (0, 19_999)
        decoded.append(len(events))
    assert decoded[0] == 0 < decoded[1]


def _history(rows: int, spike: int, hot: int) -> History:
    """Return a run in which one of many rows has a spike, in blocks of 500, of which the last ones are not archived."""
    blocks = []
    for first in range(0, rows, 500):
        steps = range(first, first + 500)
        blocks.append((0, steps, [{"loss": 5.0 if step == spike else math.sin(step / 900)} for step in steps]))
    history = History()
    history.add(run_key(RUN), *logged(blocks))
    half = len(blocks) // 2
    history.archive_blocks(run_key(RUN), range(half))
    history.archive_blocks(run_key(RUN), range(len(blocks) - half - hot))
    return history


@given(st.integers(0, 59_999), st.sampled_from([0, 8]), st.integers(50, 2000), st.data())
def test_a_spike_is_shown_at_every_zoom(spike: int, hot: int, samples: int, data: Any) -> None:
    """A chart of any range has its ends, its extremes, and no more points than requested, all of which were logged."""
    planted = spike // 6000 * 6000 + 17
    if (planted, hot) not in _SHARED:
        _SHARED[planted, hot] = _history(60_000, planted, hot)
    history = _SHARED[planted, hot]
    first = data.draw(st.integers(0, planted))
    last = data.draw(st.integers(planted, 59_999))
    query = RowQuery(keys=["loss"], min_step=first, max_step=last + 1, late=data.draw(st.booleans()))
    [found] = asyncio.run(reader.series(history.stored, RUN, query, samples=samples)).values()
    assert len(found.steps) <= samples
    assert (5.0, planted) in set(zip(found.values.tolist(), found.steps.tolist(), strict=True))
    assert (found.steps[0], found.steps[-1]) == (first, last)
    assert (np.diff(found.steps) > 0).all()
    others = found.steps != planted
    assert (found.values[others] == np.array([math.sin(step / 900) for step in found.steps[others].tolist()])).all()
    # The points are spread over the range, wherever the rows are.
    assert len(found.steps) >= min(samples, last - first + 1) // 4


@given(st.sampled_from([0, 8]), st.integers(8, 700))
def test_sampled_rows_have_the_spike_and_both_ends(hot: int, samples: int) -> None:
    """As many whole rows as requested are chosen from a long run, among them the first, the last and the extremes."""
    if (17, hot) not in _SHARED:
        _SHARED[17, hot] = _history(60_000, 17, hot)
    rows = rows_of(asyncio.run(reader.sample(_SHARED[17, hot].stored, RUN, RowQuery(), samples=samples)))
    assert len(rows) == samples
    steps = [row.step for row in rows]
    assert steps == sorted(set(steps))
    assert {0, 17, 59_999} <= set(steps)
    assert rows[steps.index(17)].values == {"loss": 5.0}


#: Histories by the place of their spike; making one takes longer than reading it.
_SHARED: dict[tuple[int, int], History] = {}
