"""Rows that are archived are read as if they were not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from runstream_consumers.history import latest, reader
from runstream_consumers.history.paging import rows_of
from runstream_consumers.history.reader import RowQuery
from runstream_consumers.runtime.postgres.run_key import run_key
from tests.property.archive.histories import RUN, STREAM, History, all_rows, logged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.history.reader import HistoryRow

_NAMES = st.sampled_from(["a", "b", "a.b", "A", "é", "long" * 40, "_step", "a/b", "", "\0"])
_VALUES = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.text(max_size=20),
    st.just([1, {"x": 2}]),
)
_ROW: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    _NAMES, st.one_of(_VALUES, st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=3)), max_size=4
)
_BLOCK = st.tuples(st.integers(0, 2), st.lists(st.tuples(st.integers(-3, 25), _ROW), min_size=1, max_size=6)).map(
    lambda drawn: (drawn[0], [step for step, _ in drawn[1]], [row for _, row in drawn[1]])
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw a run of several writers, of which some blocks are archived in several parts, some of them joined."""
    history = History()
    run = run_key(RUN)
    history.add(run, *logged(draw(st.lists(_BLOCK, min_size=1, max_size=10))))
    for _ in range(draw(st.integers(1, 3))):
        count = len(history.hot.blocks[run])
        chosen = draw(st.sets(st.integers(0, count - 1))) if count else set()
        history.archive_blocks(run, chosen)
        if draw(st.booleans()):
            history.join_parts(run)
    return history


def comparable(rows: Sequence[HistoryRow]) -> list[str]:
    """Return rows as texts in which NaN equals NaN, and which do not depend on the order of the keys."""
    return [repr((replace(row, values={}), sorted(_items(row.values)))) for row in rows]


def _items(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, repr(_items(one) if isinstance(one, dict) else one)) for key, one in sorted(values.items())]


_QUERIES = st.builds(
    lambda keys, first, width, late: RowQuery(keys=keys, min_step=first, max_step=first + width, late=late),
    st.one_of(st.none(), st.lists(st.one_of(_NAMES, st.just("a.b.a")), max_size=3)),
    st.integers(-4, 20),
    st.integers(0, 30),
    st.booleans(),
)


@given(histories(), st.integers(1, 9), _QUERIES)
def test_rows_are_the_same_wherever_they_are(history: History, limit: int, query: RowQuery) -> None:
    """Values with their types, order, late marks and cursors are those of the same rows in the table."""
    expected = all_rows(history.whole, RUN, query, limit=limit)
    assert comparable(all_rows(history.stored, RUN, query, limit=limit)) == comparable(expected)


@given(histories(), st.integers(4, 30), st.booleans())
def test_charts_and_samples_of_few_rows_are_the_same(history: History, samples: int, late: bool) -> None:  # noqa: FBT001
    """A part of few rows has no pyramid: charts have exactly the points that they have without an archive."""

    async def read(source: Any) -> str:
        query = RowQuery(late=late)
        found = await reader.series(source, RUN, query, samples=samples, joined=True)
        points = {
            key: sorted(zip(one.steps.tolist(), one.times.tolist(), map(repr, one.values.tolist()), strict=True))
            for key, one in found.items()
        }
        places = [row.cursor for row in rows_of(await reader.sample(source, RUN, query, samples=samples))]
        return repr((points, len(places)))

    if samples >= 30:
        assert asyncio.run(read(history.stored)) == asyncio.run(read(history.whole))
    else:
        asyncio.run(read(history.stored))


@given(histories(), st.integers(-4, 26))
def test_the_end_of_a_run_is_the_same(history: History, step: int) -> None:
    """The last step, the last value of each key up to a step, and the newest offset are those of the table."""

    async def read(source: Any) -> tuple[Any, ...]:
        values = await latest.last_values(source, RUN, step=step)
        return (
            await latest.last_step(source, RUN),
            sorted(map(repr, values)),
            await reader.fingerprint(source, RUN, STREAM),
            await reader.keys(source, RUN, stream=STREAM),
        )

    assert asyncio.run(read(history.stored)) == asyncio.run(read(history.whole))
