"""Deferral, restarts and lost connections change nothing: each record is applied once, in order within its run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.runtime.progress.shares import ShareLimits
from runstream_schemas.topics import Topic
from tests.integration.runtime.events import block, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, LedgerPartition, fetch, read_ledger
from tests.integration.runtime.test_sink import LOG, Bench, Faulty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.runtime.plugin import Batch, Connection, Context

RUNS = [run_in(0, number) for number in range(3)]
EMPTY = """
truncate ledger.entry, runtime.writer_progress, runtime.quarantine, runtime.deferred;
update runtime.sink_offset set next = 0
"""

#: The run and the number of rows of each message.
logs = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=25)
#: What a worker does: read up to so many messages, take a turn, start again with or without a limit; a connection may
#: be lost around a commit.
actions = st.sampled_from(["read", "turn", "limited", "unlimited"])
steps = st.lists(st.tuples(actions, st.integers(1, 6), st.sampled_from(["", "before", "after"])), max_size=20)


class InOrder(LedgerConsumer):
    """Refuses a block that does not continue what is stored of its run."""

    def partition(self, number: int, context: Context) -> InOrderPartition:
        """Return the work on one partition."""
        return InOrderPartition(number, context, strict=False)


class InOrderPartition(LedgerPartition):
    """Checks each block before it is stored."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Store the lines of the blocks one by one."""
        query = "select count(*) from ledger.entry where run_id = $1"
        for item in batch.events:
            assert await connection.fetchval(query, item.event.run.run_id) == getattr(item.event, "seq", None)
            await super().apply(connection, type(batch)(partition=batch.partition, events=[item]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(log=logs, steps=steps)
def test_any_order_of_turns_and_restarts_applies_each_record_once(
    database: str, log: list[tuple[int, int]], steps: list[tuple[str, int, str]]
) -> None:
    """Whatever the worker does, the tables become those of the messages in their order."""
    asyncio.run(_work(database, log, steps))


async def _work(database: str, log: Sequence[tuple[int, int]], steps: Sequence[tuple[str, int, str]]) -> None:
    bench = Bench(database)
    bench.consumer = InOrder(topics=[Topic.LOG])
    await prepare_tables(bench.consumer, database)
    counts = [0, 0, 0]
    for run, count in log:
        bench.append(block(RUNS[run], writer(run), counts[run], count))
        counts[run] += count
    faults: list[str] = []
    connection = Faulty(await connect(database, application="test", schema="ledger"), faults)
    try:
        await connection.execute(EMPTY)
        sink = bench.sink(ShareLimits(run=0.0))
        await sink.open(connection, {LOG: 0}, {LOG: len(log)})
        for action, count, fault in [*steps, ("read", len(log), ""), ("unlimited", 1, "")]:
            faults[:] = [fault] if fault and action in {"read", "turn"} else []
            if action in {"limited", "unlimited"}:
                sink = bench.sink(ShareLimits(run=0.0) if action == "limited" else ShareLimits())
                await sink.open(connection, {LOG: 0}, {LOG: len(log)})
                continue
            try:
                if action == "turn":
                    await sink.apply_deferred(connection)
                elif (first := await bench.next()) < len(log):
                    await sink.apply_batch(connection, bench.batch(first, first + count))
            except ConnectionResetError:
                sink.forget()
        faults.clear()
        while sink.deferred_bytes:
            await sink.apply_deferred(connection)
    finally:
        await connection.close()
    assert await fetch(database, "select reason from runtime.quarantine") == []
    stored = await read_ledger(database)
    assert set(stored.values()) == {1}
    assert len(stored) == sum(counts)
