"""The views of resumed, rewound and forked runs are the same when any of their rows are archived."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runstream_consumers.history import latest
from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.model import WriterSteps, measure
from runstream_consumers.history.reader import RowQuery, curves, series
from runstream_schemas.codec import encode
from tests.property.archive.histories import History, all_rows
from tests.property.history import test_view as model
from tests.property.history.test_view import FIRST_OFFSET, PATHS, RUNS, Process, World, event_of, facts_of, worlds


def _blocks(world: World, run: int) -> list[Block]:
    """Return the blocks of a run as they are stored."""
    written: dict[int, WriterSteps] = {}
    blocks = []
    for time, writer, steps in world.blocks:
        if world.writers[writer].run == run:
            before = written.get(writer, WriterSteps())
            event = event_of(writer, before.rows, steps)
            found, written[writer] = measure(event, before)
            place = (event.writer.id, FIRST_OFFSET[run] + time, event.seq)
            blocks.append(Block(*place, found.least, found.greatest, before.greatest, Message(encode(event))))
    return blocks


def test_a_block_that_a_rewind_divides_is_hidden_in_part() -> None:
    """Of rows in one archived block, those before a rewind are hidden from its step on, in rows and charts."""
    size = 600
    early, late = list(range(size)), list(range(size, 2 * size))
    writers = [Process(0, frozenset(), None, 1, [*early, *late]), Process(0, frozenset(), (2, 0, 99), 4, [100])]
    world = World(writers, [(1, 0, early), (3, 0, late), (4, 1, [100])])
    history = History()
    history.add(RUNS[0], facts_of(world, 0), _blocks(world, 0))
    history.archive_blocks(RUNS[0], range(3))
    [record] = history.manifest.records[RUNS[0]]
    assert len(history.archive.open(record).index.blocks) == 2
    for hidden in (False, True):
        rows = all_rows(history.stored, PATHS[0], RowQuery(), limit=70, hidden=hidden)
        assert [(row.step, row.hidden) for row in rows] == [
            (row[2], row[4]) for row in model.expected(world, 0) if hidden or not row[4]
        ]
    for samples in (4, 20, 5000):
        found = asyncio.run(series(history.stored, PATHS[0], RowQuery(keys=["at"]), samples=samples))
        steps = {step for one in found.values() for step in one.steps.tolist()}
        assert steps <= {*range(101), *late}
        assert steps >= {0, 100, late[-1]}


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Draw runs of which some blocks are archived."""
    world = draw(worlds())
    history = History()
    for number, run in enumerate(RUNS):
        blocks = _blocks(world, number)
        history.add(run, facts_of(world, number), blocks)
        if blocks:
            history.archive_blocks(run, draw(st.sets(st.integers(0, len(blocks) - 1))))
            if draw(st.booleans()):
                history.archive_blocks(run, range(len(history.hot.blocks[run]) // 2))
                history.join_parts(run)
    return history


@settings(max_examples=2 * settings().max_examples)
@given(histories(), st.integers(0, len(RUNS) - 1), st.integers(1, 9), st.booleans())
def test_displayed_and_hidden_rows_are_the_same(history: History, run: int, limit: int, late: bool) -> None:  # noqa: FBT001
    """Rows that a rewind hides are hidden also if the archive has them in one block with rows that came after it."""
    for hidden in (False, True):
        expected = all_rows(history.whole, PATHS[run], RowQuery(late=late), limit=limit, hidden=hidden)
        assert all_rows(history.stored, PATHS[run], RowQuery(late=late), limit=limit, hidden=hidden) == expected


@given(histories(), st.integers(0, len(RUNS) - 1), st.integers(-1, 10), st.integers(0, 10), st.booleans())
def test_charts_and_ends_are_the_same(history: History, run: int, first: int, width: int, late: bool) -> None:  # noqa: FBT001
    """Every point of a short run's chart, its last step and its last values are the same."""

    async def read(source: Any) -> tuple[Any, ...]:
        query = RowQuery(min_step=first, max_step=first + width, late=late)
        found = await series(source, PATHS[run], query, samples=500, joined=True)
        return (
            {
                key: sorted(zip(one.steps.tolist(), one.times.tolist(), one.values.tolist(), strict=True))
                for key, one in found.items()
            },
            await latest.last_step(source, PATHS[run]),
            sorted(await latest.last_values(source, PATHS[run], step=first + width)),
        )

    assert asyncio.run(read(history.stored)) == asyncio.run(read(history.whole))


@given(histories(), st.integers(-1, 10), st.integers(0, 12))
def test_series_of_several_runs_are_those_of_each(history: History, first: int, width: int) -> None:
    """Reading runs together, some of which are forks of others, gives the same points as reading them one by one."""

    async def read() -> None:
        query = RowQuery(min_step=first, max_step=first + width)
        etag, found = await curves(history.stored, PATHS, query, samples=500)
        assert await curves(history.stored, PATHS, query, samples=500, known=[etag]) == (etag, None)
        assert found is not None
        assert list(found) == list(PATHS)
        for path in PATHS:
            expected = await series(history.stored, path, query, samples=500, joined=True)
            assert {key: _points(one) for key, one in found[path].items()} == {
                key: _points(one) for key, one in expected.items()
            }

    asyncio.run(read())


def _points(one: Any) -> list[tuple[int, int, float]]:
    return sorted(zip(one.steps.tolist(), one.times.tolist(), one.values.tolist(), strict=True))
