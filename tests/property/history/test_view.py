"""The view of resumed, rewound and forked runs, compared with a model that decides for each row separately."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runstream_consumers.history.blocks import Block, Message
from runstream_consumers.history.late_rows import LateRowFilter
from runstream_consumers.history.model import NO_STEP, WriterSteps, measure
from runstream_consumers.history.paging import GREATEST, PageBuilder
from runstream_consumers.history.selection import EVERY_COLUMN, Selection
from runstream_consumers.history.view import BranchFacts, RunFacts, WriterFacts, view_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RUN = RunPath(entity="e", project="p", run_id="r")
PATHS = [RunPath(entity="e", project="p", run_id=f"r{number}") for number in range(3)]
RUNS = [run_key(path) for path in PATHS]
#: The runs are in partitions whose offsets are unrelated.
FIRST_OFFSET = [50, 0, 900]


@dataclass
class Process:
    """A writer of a run, in order of time."""

    run: int
    continues: frozenset[int]
    #: Time, run, step.
    branch: tuple[int, int, int] | None
    began: int | None = None
    steps: list[int] = field(default_factory=list)


class Logged(NamedTuple):
    """A row with its writer, time and step."""

    writer: int
    time: int
    order: int
    step: int
    #: Whether it is below the greatest earlier step of its writer.
    is_below: bool


@dataclass
class World:
    """All records, in the order in which the brokers received them."""

    writers: list[Process] = field(default_factory=list)
    #: Time, writer, steps.
    blocks: list[tuple[int, int, list[int]]] = field(default_factory=list)

    def rows(self, run: int) -> Iterator[Logged]:
        """Yield the rows logged by the writers of a run, without inherited rows."""
        logged: dict[int, list[int]] = {}
        for time, writer, steps in self.blocks:
            if self.writers[writer].run == run:
                for step in steps:
                    before = logged.setdefault(writer, [])
                    yield Logged(writer, time, len(before), step, any(step < other for other in before))
                    before.append(step)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw processes that begin, resume, rewind, fork, and log, in any order."""
    world = World()
    for time in range(1, draw(st.integers(4, 24))):
        if not world.writers or draw(st.booleans()):
            run = draw(st.integers(0, len(RUNS) - 1))
            earlier = [number for number, writer in enumerate(world.writers) if writer.run == run]
            continues = draw(st.frozensets(st.sampled_from(earlier), max_size=2)) if earlier else frozenset()
            origin = draw(st.sampled_from([None, run, *range(len(RUNS))]))
            branch = None if origin is None else (time, origin, draw(st.integers(-1, 8)))
            world.writers.append(Process(run, continues, branch))
        else:
            writer = draw(st.integers(0, len(world.writers) - 1))
            steps = draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
            process = world.writers[writer]
            process.began = time if process.began is None else process.began
            process.steps += steps
            world.blocks.append((time, writer, steps))
    return world


# --- The model


def continued_by(world: World, writer: int) -> set[int]:
    """Return the writers that a writer continues, directly or indirectly."""
    found = set(world.writers[writer].continues)
    for earlier in world.writers[writer].continues:
        found |= continued_by(world, earlier)
    return found


def items(world: World, run: int, until: int, seen: frozenset[int]) -> list[tuple[Logged, int, int, int]]:
    """Return the rows of a run and those that it inherits, each with owner, time, and depth of its run."""
    found = [
        (row, row.writer, row.time, 0)
        for row in world.rows(run)
        if (began := world.writers[row.writer].began) is not None and began < until
    ]
    for number, writer in enumerate(world.writers):
        if writer.run == run and writer.branch is not None and writer.branch[1] != run and writer.branch[0] < until:
            time, origin, step = writer.branch
            if origin not in seen:
                inherited = shown(world, origin, time, seen | {origin})
                found += [(row, number, time, depth + 1) for row, depth in inherited if row.step <= step]
            break
    return found


def is_hidden(world: World, run: int, until: int, item: tuple[Logged, int, int, int]) -> bool:
    """Return whether a later writer replaces a row."""
    row, owner, time, _ = item
    for number, writer in enumerate(world.writers):
        if writer.run != run or number == owner:
            continue
        continued = owner in continued_by(world, number)
        if continued and writer.began is not None and writer.began < until and row.step >= writer.steps[0]:
            return True
        if writer.branch is not None and writer.branch[1] == run and writer.branch[0] < until:
            before = time < writer.branch[0]
            if row.step > writer.branch[2] and (continued or before):
                return True
    return False


def shown(world: World, run: int, until: int, seen: frozenset[int]) -> list[tuple[Logged, int]]:
    """Return the displayed rows of a run, each with the depth of its run."""
    found = items(world, run, until, seen)
    return [(item[0], item[3]) for item in found if not is_hidden(world, run, until, item)]


def expected(world: World, run: int) -> list[tuple[Any, ...]]:
    """Return the displayed and the hidden rows of a run, in order: writer, order, step, late, hidden."""
    found = items(world, run, 10**6, frozenset({run}))
    found.sort(key=lambda item: (item[0].step, -item[3], offset(world, item[0]), item[0].order))
    seen_steps: set[int] = set()
    rows = []
    for item in found:
        row, hidden = item[0], is_hidden(world, run, 10**6, item)
        rows.append((row.writer, row.order, row.step, row.is_below or (not hidden and row.step in seen_steps), hidden))
        if not hidden:
            seen_steps.add(row.step)
    return rows


def offset(world: World, row: Logged) -> int:
    """Return the offset of a row's block in its partition."""
    return FIRST_OFFSET[world.writers[row.writer].run] + row.time


# --- The tests


def key(writer: int) -> UUID:
    """Return the key of a writer."""
    return UUID(int=writer + 1)


def facts_of(world: World, run: int) -> RunFacts:
    """Return the facts of a run as in the tables."""
    mine = {number: writer for number, writer in enumerate(world.writers) if writer.run == run}
    return RunFacts(
        RUNS[run],
        {key(number): WriterFacts(writer.steps[0], writer.began) for number, writer in mine.items() if writer.began},
        {key(number): frozenset(map(key, writer.continues)) for number, writer in mine.items() if writer.continues},
        [
            BranchFacts(key(number), RUNS[branch[1]], branch[2], FIRST_OFFSET[run] + branch[0], branch[0])
            for number, writer in mine.items()
            if (branch := writer.branch) is not None
        ],
    )


def blocks_of(world: World, run: int) -> list[Block]:
    """Return the blocks of a view, ordered by their least step, as the reader finds them."""
    lineage = [facts_of(world, run)]
    while (fork := lineage[-1].fork) is not None and all(facts.run != fork.origin for facts in lineage):
        lineage.append(facts_of(world, RUNS.index(fork.origin)))
    blocks = []
    for source in view_of(lineage):
        written: dict[int, WriterSteps] = {}
        number = RUNS.index(source.facts.run)
        for time, writer, steps in world.blocks:
            if world.writers[writer].run == number:
                before = written.get(writer, WriterSteps())
                event = event_of(writer, before.rows, steps)
                block, written[writer] = measure(event, before)
                at = FIRST_OFFSET[number] + time
                if (bounds := source.bounds_of(key(writer).bytes, at)) is not None:
                    payload = Message(encode(event))
                    fields_of_block = (event.writer.id, at, event.seq, block.least, block.greatest, before.greatest)
                    blocks.append(Block(*fields_of_block, payload, source.rank, bounds))
    return sorted(blocks, key=lambda block: (block.first_step, block.rank, block.offset))


def event_of(writer: int, seq: int, steps: list[int]) -> events.LogEvent:
    """Return a block of rows."""
    orders = np.arange(seq, seq + len(steps))
    return events.LogEvent(
        header=events.Header(
            kind=events.Kind.DATA,
            run=RUN,
            writer=events.Writer(id=key(writer).bytes, role=events.Role.PRIMARY),
            time=0,
            seq=seq,
            count=len(steps),
        ),
        stream=events.Stream.HISTORY,
        orders=orders,
        steps=np.array(steps),
        times=orders * 10,
        columns=pack_rows([{"at": int(order)} for order in orders]),
    )


def read(blocks: list[Block], limit: int, **options: bool) -> list[tuple[Any, ...]]:
    """Read all pages like the reader."""
    rows: list[tuple[Any, ...]] = []
    after = None
    while True:
        builder = PageBuilder(
            Selection.of(None), limit=limit, first_step=NO_STEP, last_step=GREATEST, after=after, budget=20, **options
        )
        builder.extend(blocks)
        page = builder.page()
        rows += [(UUID(bytes=row.writer).int - 1, row.order, row.step, row.late, row.hidden) for row in page.rows]
        if page.next is None:
            return rows
        after = page.next


@settings(max_examples=3 * settings().max_examples)
@given(worlds(), st.integers(0, len(RUNS) - 1), st.integers(1, 9))
def test_a_view_has_the_rows_of_the_model(world: World, run: int, limit: int) -> None:
    """However runs are resumed, rewound and forked, displayed, hidden and late rows are those of the model."""
    blocks = blocks_of(world, run)
    rows = expected(world, run)

    assert read(blocks, limit, hidden=True) == rows
    assert read(blocks, limit) == [row for row in rows if not row[4]]
    assert read(blocks, limit, late=False) == [row for row in rows if not row[3] and not row[4]]


@given(worlds(), st.integers(0, len(RUNS) - 1), st.integers(1, 6))
def test_samples_without_late_rows_have_the_rows_of_the_model(world: World, run: int, patience: int) -> None:
    """The rows are the displayed ones without late rows, however few rows are held at a time."""
    row_filter = LateRowFilter(patience)
    found = []
    blocks = [block for block in blocks_of(world, run) if block.is_shown]
    decided: list[tuple[Block, events.LogEvent, NDArray[np.bool_]]] = []
    for block in blocks:
        event = block.payload.decode(EVERY_COLUMN)
        decided += row_filter.add(block, event, block.shown(event.steps))
    for block, event, good in [*decided, *row_filter.rest()]:
        writer = UUID(bytes=block.writer).int - 1
        found += [(writer, int(event.orders[row]), int(event.steps[row])) for row in np.flatnonzero(good)]

    assert sorted(found) == sorted(row[:3] for row in expected(world, run) if not row[3] and not row[4])
