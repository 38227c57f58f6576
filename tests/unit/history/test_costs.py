"""Reading costs work in proportion to the rows and writers, whatever a run has sent: counted, not timed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from runstream_consumers.history.block_source import merge_blocks
from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.late_rows import LateRowFilter
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import PageBuilder
from runstream_consumers.history.postgres_blocks import _by_last_step
from runstream_consumers.history.selection import Selection
from runstream_consumers.history.tables.row_table import Cursor
from runstream_consumers.history.view import BranchFacts, Cuts, RunFacts, WriterFacts, lines_of, view_of
from runstream_schemas.codec import encode
from runstream_schemas.events import ColumnType, LogEvent
from tests.costs import growth, instructions
from tests.integration.runtime.events import block, run_in, writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

LINEAR = 2.6
RUN = UUID(int=1)


def chain(size: int, *, rewinds: bool) -> RunFacts:
    """Return a run that was resumed many times, or also rewound each time."""
    ids = [UUID(int=100 + number) for number in range(size)]
    branches = [
        BranchFacts(ids[number], RUN, size - number, offset=number, append_time=number) for number in range(1, size)
    ]
    return RunFacts(
        RUN,
        {one: WriterFacts(number, began=number) for number, one in enumerate(ids)},
        {ids[number]: frozenset([ids[number - 1]]) for number in range(1, size)},
        branches if rewinds else (),
    )


@pytest.mark.parametrize("rewinds", [False, True])
def test_a_view_of_many_resumes_is_linear(*, rewinds: bool) -> None:
    """Twice as many writers that continue each other take twice as much work, for every block as well."""

    def make(size: int) -> Callable[[], object]:
        facts = chain(size, rewinds=rewinds)

        def work() -> None:
            view = view_of([facts])
            lines_of(view)
            facts.as_of(size // 2)
            cuts = Cuts(facts)
            for number in range(size):
                cuts.hidden_from(UUID(int=100 + number), number)

        return work

    assert growth(make, 200) < LINEAR


def stored(event: LogEvent, offset: int) -> Block:
    """Return a block as it is stored."""
    return Block(
        writer=event.writer.id,
        offset=offset,
        seq=event.seq,
        first_step=int(event.steps.min()),
        last_step=int(event.steps.max()),
        greatest_before=NO_STEP,
        payload=Message(encode(event)),
    )


def test_merging_streams_of_blocks_is_linear() -> None:
    """Blocks that are held for later are not looked at again for each batch of another stream."""

    def make(size: int) -> Callable[[], object]:
        near = [stored(block(run_in(0), writer(1), 0, 1, steps=[number]), number) for number in range(size)]
        far = [stored(block(run_in(0), writer(1), 0, 1, steps=[size + number]), number) for number in range(size)]

        async def batches(blocks: Sequence[Block], count: int) -> AsyncIterator[Sequence[Block]]:
            for first in range(0, len(blocks), count):
                yield blocks[first : first + count]

        async def merged() -> None:
            streams = [batches(near, 2), batches(far, size)]
            found = [one async for blocks in merge_blocks(streams, lambda one: one.first_step) for one in blocks]
            assert len(found) == 2 * size

        async def ordered() -> None:
            same = [stored(block(run_in(0), writer(1), 0, 1, steps=[5]), number) for number in range(size)]
            assert sum([len(blocks) async for blocks in _by_last_step(batches(same, 2))]) == size

        return lambda: (asyncio.run(merged()), asyncio.run(ordered()))

    assert growth(make, 150) < LINEAR


def test_late_rows_of_many_blocks_are_found_in_linear_work() -> None:
    """A row at the same step in each of many blocks: only the first one is kept."""

    def make(size: int) -> Callable[[], object]:
        late_rows = LateRowFilter(patience=10_000)
        event = block(run_in(0), writer(1), 0, 1, steps=[5])
        found = [item for offset in range(size) for item in late_rows.add(stored(event, offset), event, None)]

        def work() -> None:
            found.extend(late_rows.rest())
            assert [offset for offset, (_, _, good) in enumerate(found) if good.any()] == [0]

        return work

    assert growth(make, 300) < LINEAR


def test_pages_of_rows_at_one_step_do_not_decode_all_of_them() -> None:
    """A page decodes the blocks that can have its rows, though all have the same step; the marks are the same."""
    decoded = 0

    class Counted(Message):
        def decode(self, selection: Selection) -> LogEvent:
            nonlocal decoded
            decoded += 1
            return super().decode(selection)

    events = [block(run_in(0), writer(1), 2 * number, 2, steps=[7, 7]) for number in range(100)]
    blocks = [stored(event, number) for number, event in enumerate(events)]
    after, seen = None, []
    while True:
        builder = PageBuilder(Selection.of(None), limit=10, first_step=0, last_step=9, after=after, budget=10**6)
        for number, one in enumerate(blocks):
            counted = Block(**{name: getattr(one, name) for name in Block.__slots__} | {"payload": Counted(b"")})
            object.__setattr__(counted.payload, "message", encode(events[number]))
            builder.add(counted)
        page = builder.page()
        seen += [(row.offset, row.order, row.late) for row in page.rows]
        if (after := page.next) is None:
            break
    assert seen == [(number // 2, number, number > 0) for number in range(200)]
    assert isinstance(after, Cursor | None)
    assert decoded < 3 * len(blocks)


def test_a_key_with_many_dots_is_compared_in_linear_work() -> None:
    """The names of dicts that contain a key are not built for each of its dots."""
    selection = Selection.of(["a", "b.c", "a.b"])
    assert instructions(lambda: selection.accepts(("a." * 5000,), ColumnType.FLOAT64)) < 500
    accepted = [
        selection.accepts(path, ColumnType.NULL) for path in (("a",), ("ab",), ("b", "c", "d"), ("b",), ("b.c",))
    ]
    assert accepted == [True, False, True, False, True]
    assert Selection.of(None).accepts(("x",), ColumnType.NULL)
