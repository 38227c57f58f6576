"""The history consumer, from events to the rows that readers get."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING, Any

from runstream_consumers.history.arrivals.console import lines_before
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.history.latest import last_step, last_values
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.history.reader import RowQuery, series
from runstream_consumers.runtime.postgres.connection import connect
from runstream_schemas.events import Branch, Kind, Stream
from runstream_schemas.rows import cut
from runstream_schemas.topics import RunPath
from tests.events import changed
from tests.integration.history.rows import read_all, rows_beyond, stored_rows
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import consuming, fetch, settings_of
from tests.integration.runtime.processes import consumer_process, environment_of, start_consumer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runstream_schemas.events import Event


async def store(broker: str, prefix: str, database: str, events: Iterable[Event], rows: int) -> None:
    """Store events with a consumer that stops afterwards."""
    await publish(broker, prefix, events)
    async with consuming(HistoryConsumer(), settings_of(broker, prefix, database)):
        await stored_rows(database, rows)


async def test_rows_are_read_as_logged(broker: str, prefix: str, database: str) -> None:
    """Values of every type, steps, times and writers are preserved, in order, with any page size."""
    run = run_in(0)
    logged: list[dict[str, Any]] = [
        {"loss": 0.5, "n": 1, "ok": True, "nothing": None, "text": "a\0b", "nested": {"a": {"b": 2}}, "dotted.key": 3},
        {"loss": float("inf"), "n": -(2**63), "list": [1, {"x": "y"}]},
        {"only": "here"},
    ]
    await store(broker, prefix, database, [block(run, writer(1), 0, 3, rows=logged, steps=[3, 5, 9])], 3)
    for limit in (1, 2, 100):
        rows = await read_all(database, run, limit=limit)
        assert [row.values for row in rows] == logged
        assert [(row.step, row.time, row.order, row.writer, row.late) for row in rows] == [
            (3, 0, 0, writer(1).id, False),
            (5, 1_000_000, 1, writer(1).id, False),
            (9, 2_000_000, 2, writer(1).id, False),
        ]


async def test_late_rows_are_marked(broker: str, prefix: str, database: str) -> None:
    """A row is late below its writer's greatest step, or at a step of another writer's row."""
    run = run_in(0)
    events = [
        block(run, writer(1), 0, 3, steps=[0, 5, 3]),
        block(run, writer(2), 0, 2, steps=[5, 6]),
        block(run, writer(1), 3, 2, steps=[4, 7]),
    ]
    await store(broker, prefix, database, events, 7)
    rows = await read_all(database, run, limit=2)
    assert [(row.step, row.writer[-1], row.late) for row in rows] == [
        (0, 1, False),
        (3, 1, True),
        (4, 1, True),
        (5, 1, False),
        (5, 2, True),
        (6, 2, False),
        (7, 1, False),
    ]
    counted = await fetch(database, "select writer, rows, late, greatest from history.writer order by writer")
    assert [(row["writer"].int, row["rows"], row["late"], row["greatest"]) for row in counted] == [
        (1, 5, 2, 7),
        (2, 2, 0, 6),
    ]


async def test_all_steps_of_64_bits_are_read(broker: str, prefix: str, database: str) -> None:
    """One block has the least and the greatest step; a resume from the latter, a fork at it and a page work."""
    run, fork, least, most = run_in(0), run_in(0, 1), -(2**63), 2**63 - 1
    start = changed(
        cut(block(fork, writer(2), 0, 1), 0, 0), kind=Kind.BRANCH, count=1, branch=Branch(run=run, step=most)
    )
    events = [
        block(run, writer(1), 0, 3, steps=[least, 0, most]),
        block(run, writer(1), 3, 2, steps=[most, most - 1]),
        start,
        block(fork, writer(2), 1, 1, steps=[most]),
    ]
    await store(broker, prefix, database, events, 6)
    for limit in (1, 2, 100):
        assert [row.step for row in await read_all(database, run, limit=limit)] == [least, 0, most - 1, most, most]
        assert [row.step for row in await read_all(database, fork, limit=limit)] == [least, 0, most - 1, *[most] * 3]
        assert [row.step for row in await read_all(database, run, limit=limit, min_step=1)] == [most - 1, most, most]
        assert [row.step for row in await read_all(database, run, limit=limit, max_step=most)] == [least, 0, most - 1]
    connection = await connect(database, application="test")
    try:
        source = PostgresBlocks(connection)
        [found] = (await series(source, run, RowQuery(late=False), samples=4)).values()
        assert found.steps.tolist() == [0, most]
        assert (await last_step(source, run), await last_step(source, fork)) == (most, most)
        assert len(await last_values(source, fork, step=least)) == 1
    finally:
        await connection.close()


async def test_a_scan_can_be_limited_to_keys_and_steps(broker: str, prefix: str, database: str) -> None:
    """Rows that have one of the keys are returned with only these values; the last step is excluded."""
    run = run_in(0)
    logged: list[dict[str, Any]] = [
        {"a": index, "b": {"c": index, "d": {"e": index}}} if index % 2 else {"a": index} for index in range(10)
    ]
    await store(broker, prefix, database, [block(run, writer(1), 0, 10, rows=logged)], 10)
    rows = await read_all(database, run, limit=3, keys=["b.d", "missing"], min_step=2, max_step=9)
    assert [(row.step, row.values) for row in rows] == [(step, {"b": {"d": {"e": step}}}) for step in (3, 5, 7)]


async def test_streams_and_runs_are_separate(broker: str, prefix: str, database: str) -> None:
    """Rows of the console, system metrics and other runs are not mixed, and an unknown run has none."""
    run, other = run_in(0), run_in(0, 1)
    events = [
        block(run, writer(1), 0, 2),
        block(run, writer(2), 0, 1, rows=[{"text": "hello"}], stream=Stream.CONSOLE),
        block(run, writer(2), 1, 1, rows=[{"cpu": 1.0}], stream=Stream.SYSTEM),
        block(other, writer(3), 0, 4),
    ]
    await store(broker, prefix, database, events, 8)
    found = [len(await read_all(database, run, limit=10, stream=stream)) for stream in Stream]
    assert dict(zip(Stream, found, strict=True)) == {
        Stream.UNKNOWN: 0,
        Stream.HISTORY: 2,
        Stream.SYSTEM: 1,
        Stream.CONSOLE: 1,
    }
    assert len(await read_all(database, other, limit=10)) == 4
    assert await read_all(database, RunPath(entity="no", project="such", run_id="run"), limit=10) == []


async def test_a_sample_has_the_extremes_of_each_key(broker: str, prefix: str, database: str) -> None:
    """A series is reduced to the requested number of points and keeps its peak; each key of a dict is a series."""
    run = run_in(0)
    values = [{"loss": {"train": float(index % 7), "eval": 99.0 if index == 613 else 0.0}} for index in range(1000)]
    events = [block(run, writer(1), start, 100, rows=values[start : start + 100]) for start in range(0, 1000, 100)]
    await store(broker, prefix, database, events, 1000)
    connection = await connect(database, application="test")
    try:
        blocks = PostgresBlocks(connection)
        whole = await series(blocks, run, RowQuery(keys=["loss"]), samples=50)
        part = await series(blocks, run, RowQuery(keys=["loss.train"], min_step=10, max_step=20), samples=50)
    finally:
        await connection.close()
    by_key = {key: points for (key, _), points in whole.items()}
    assert list(by_key) == ["loss.eval", "loss.train"]
    assert all(len(points.steps) <= 50 for points in by_key.values())
    peak = by_key["loss.eval"].values.argmax()
    assert (by_key["loss.eval"].steps[peak], by_key["loss.eval"].times[peak]) == (613, 613_000_000)
    assert part["loss.train", writer(1).id].steps.tolist() == list(range(10, 20))


async def test_the_tail_has_the_last_lines(broker: str, prefix: str, database: str) -> None:
    """The last lines of a console are read across any number of blocks."""
    run = run_in(0)
    events = [block(run, writer(1), seq, 1, rows=[{"text": str(seq)}], stream=Stream.CONSOLE) for seq in range(100)]
    await store(broker, prefix, database, events, 100)
    connection = await connect(database, application="test")
    try:
        lines = (await lines_before(PostgresBlocks(connection), run, limit=70)).lines
        everything = (await lines_before(PostgresBlocks(connection), run, limit=1000)).lines
    finally:
        await connection.close()
    assert [row.values["text"] for row in lines] == [str(number) for number in range(30, 100)]
    assert len(everything) == 100


async def test_a_dropped_range_is_stored_as_a_marker(broker: str, prefix: str, database: str) -> None:
    """A drop marker is stored with its reason, and the rows after it are stored."""
    run = run_in(0)
    dropped = changed(block(run, writer(1), 0, 0), kind=Kind.DROPPED, count=5, reason="disk full")
    await store(broker, prefix, database, [dropped, block(run, writer(1), 5, 2)], 2)
    markers = await fetch(database, "select seq, count, kind, reason from history.marker")
    assert [tuple(row) for row in markers] == [(0, 5, "dropped", "disk full")]


async def test_a_randomly_killed_consumer_stores_every_row_once(
    broker: str, prefix: str, database: str, tmp_path: Path
) -> None:
    """Each row is stored once although the consumer is killed repeatedly while overlapping blocks arrive."""
    chance = random.Random(7)
    environment = environment_of(broker, prefix, database, RUNSTREAM_INSTANCE="0")
    log = tmp_path / "history.log"
    sent = [0] * 4
    process = start_consumer("history", environment, log)
    try:
        for _ in range(10):
            before = sum(sent)
            for _ in range(chance.randrange(2, 8)):
                await publish(broker, prefix, [overlapping(sent, number, chance) for number in range(len(sent))])
            await rows_beyond(database, chance.randrange(before, sum(sent)))
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = start_consumer("history", environment, log)
        await stored_rows(database, sum(sent))
    finally:
        process.kill()
        process.wait()
    for number, rows in enumerate(sent):
        found = await read_all(database, run_in(number % 2, number // 2), limit=500)
        assert [row.values["at"] for row in found] == list(range(rows))


def overlapping(sent: list[int], number: int, chance: random.Random) -> Event:
    """Return the next block of a writer, with some rows that it sent before; update the number of rows sent."""
    start = max(0, sent[number] - chance.randrange(0, 30))
    count = chance.randrange(1, 60)
    sent[number] = max(sent[number], start + count)
    return block(run_in(number % 2, number // 2), writer(number), start, count)


async def test_sigterm_ends_an_idle_consumer(broker: str, prefix: str, database: str, tmp_path: Path) -> None:
    """The process exits with code 0 at once."""
    log = tmp_path / "history.log"
    with consumer_process("history", environment_of(broker, prefix, database), log) as process:
        await publish(broker, prefix, [block(run_in(0), writer(1), 0, 1)])
        await stored_rows(database, 1)
        process.terminate()
        assert process.wait(timeout=120) == 0
