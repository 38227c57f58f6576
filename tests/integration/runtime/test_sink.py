"""Sinks with a real database and a list instead of a broker: concurrency, lost responses, gaps."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import pytest

from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.kafka.messages import Message
from runstream_consumers.runtime.plugin import Context
from runstream_consumers.runtime.postgres.connection import connect
from runstream_consumers.runtime.postgres.reader import progress
from runstream_consumers.runtime.postgres.store import to_postgres_text
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.progress.shares import ShareLimits
from runstream_schemas.codec import encode
from runstream_schemas.events import Kind
from runstream_schemas.topics import Topic, topic_name
from tests.integration.runtime.events import PARTITIONS, block, marker, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, fetch, read_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.events import Event, LogEvent

PREFIX = "listed"
LOG = topic_name(PREFIX, Topic.LOG)


class NoProducer:
    """A producer that sends nothing."""

    async def send(self, topic: Topic, partition: int, message: bytes) -> None:  # noqa: ARG002
        """Raise an error."""
        raise OSError("no broker")


def cut(now: bool) -> None:  # noqa: FBT001
    """Raise the error of a lost connection if requested."""
    if now:
        raise ConnectionResetError


class Faulty:
    """A connection that is lost around the next commits: before or after the server received them."""

    def __init__(self, connection: Connection, faults: list[str]) -> None:
        self._connection = connection
        self._faults = faults
        self._depth = 0

    def __getattr__(self, name: str) -> Any:
        """Return the attribute of the connection."""
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run a transaction; raise the next fault at the end of an outer one."""
        inner = self._connection.transaction()
        await inner.start()
        self._depth += 1
        try:
            yield
            fault = self._faults.pop() if self._faults and self._depth == 1 else ""
            cut(fault == "before")
            await inner.commit()
            cut(fault == "after")
        except BaseException:
            if not self._connection.is_closed() and self._connection.is_in_transaction():
                await inner.rollback()
            raise
        finally:
            self._depth -= 1


class Bench:
    """A database with a ledger, and a log of one partition."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.consumer = LedgerConsumer(topics=[Topic.LOG])
        self.log: list[Event] = []
        self.connections: list[Connection] = []

    def sink(self, shares: ShareLimits = ShareLimits()) -> Sink:  # noqa: B008 - immutable
        """Return the sink of partition 0 of a worker."""
        context = Context(
            name="ledger", prefix=PREFIX, partitions=PARTITIONS, producer=NoProducer(), connection=nullcontext
        )
        return Sink(self.consumer, 0, context, breaker=CircuitBreaker(60.0, 3, 0.5), shares=shares)

    async def connection(self) -> Connection:
        """Return a connection like that of a worker."""
        connection = await connect(self.dsn, application="ledger", schema="ledger")
        self.connections.append(connection)
        return connection

    def append(self, event: Event) -> None:
        """Append to the log."""
        self.log.append(event)

    def batch(self, start: int, stop: int) -> dict[str, Sequence[Message]]:
        """Return the messages of a broker between two offsets."""
        stop = min(stop, len(self.log))
        return {LOG: [Message(Topic.LOG, LOG, 0, offset, 1, encode(self.log[offset])) for offset in range(start, stop)]}

    async def lines(self) -> list[tuple[bytes, int, int]]:
        """Return writer, number, and number of copies of each line in the ledger."""
        found = await read_ledger(self.dsn)
        return sorted((by, seq, times) for (_, _, by, seq, _), times in found.items())

    async def lost(self) -> dict[tuple[bytes, int], str]:
        """Return the reason of each lost row, by writer and number."""
        found = await progress(await self.connection(), run_in(0))
        losses = [(item.writer, loss) for item in found for loss in item.losses]
        numbers = [(by, seq, loss.reason) for by, loss in losses for span in loss.spans for seq in range(*span)]
        assert len(numbers) == sum(loss.count for _, loss in losses)
        return {(by, seq): reason for by, seq, reason in numbers}

    async def next(self) -> int:
        """Return the stored offset."""
        [row] = await fetch(self.dsn, "select next from runtime.sink_offset")
        return int(row["next"])


@pytest.fixture
async def bench(database: str) -> AsyncIterator[Bench]:
    """Return a ledger without lines, and a log with ten blocks of one row."""
    bench = Bench(database)
    await prepare_tables(bench.consumer, database)
    for seq in range(10):
        bench.append(block(run_in(0), writer(1), seq, 1))
    sink = bench.sink()
    await sink.open(await bench.connection(), {LOG: 0}, {LOG: 10})
    await sink.close()
    yield bench
    for connection in bench.connections:
        connection.terminate()


def once(count: int) -> list[tuple[bytes, int, int]]:
    """Return the lines of the first rows of the first writer, each once."""
    return [(writer(1).id, seq, 1) for seq in range(count)]


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_commit_of_unknown_outcome_is_resolved_by_reading(bench: Bench, fault: str) -> None:
    """Whether or not the commit happened before the connection was lost, the repeated batch stores each row once."""
    sink = bench.sink()
    connection = Faulty(await bench.connection(), [fault, ""])  # the first transaction loads, the second stores
    with pytest.raises(ConnectionResetError):
        await sink.apply_batch(connection, bench.batch(0, 4))
    sink.forget()
    await sink.apply_batch(await bench.connection(), bench.batch(0, 4))
    assert await bench.lines() == once(4)
    assert await bench.next() == 4


async def test_one_of_two_workers_stores_a_batch(bench: Bench) -> None:
    """Of two concurrent batches from the same offset, one is committed and the other stores nothing."""
    sinks = [bench.sink() for _ in range(2)]
    connections = [await bench.connection() for _ in sinks]
    await asyncio.gather(
        *(sink.apply_batch(each, bench.batch(0, 6)) for sink, each in zip(sinks, connections, strict=True))
    )
    assert await bench.lines() == once(6)


async def test_overtaken_worker_loads_again(bench: Bench) -> None:
    """State loaded before another worker's batch is not used again."""
    slow, fast = bench.sink(), bench.sink()
    connection = await bench.connection()
    await slow.apply_batch(connection, bench.batch(0, 2))
    await fast.apply_batch(await bench.connection(), bench.batch(2, 5))
    made = len(bench.consumer.partitions)
    outcome = await slow.apply_batch(connection, bench.batch(2, 4))
    assert len(bench.consumer.partitions) == made + 1
    assert dict(outcome.seeks) == {LOG: 5}
    await slow.apply_batch(connection, bench.batch(4, 8))
    assert await bench.lines() == once(8)


async def test_nothing_is_stored_after_a_gap(bench: Bench) -> None:
    """A batch after a gap is reported and not stored."""
    sink = bench.sink()
    outcome = await sink.apply_batch(await bench.connection(), bench.batch(3, 6))
    assert dict(outcome.gaps) == {LOG: (0, 3)}
    assert await bench.lines() == []
    assert await bench.next() == 0


@pytest.mark.parametrize("seed", range(5))
async def test_any_interleaving_of_workers_and_faults_stores_each_row_once(bench: Bench, seed: int) -> None:
    """If workers share a partition without knowing, with any batches and failing commits, each row is stored once.

    Where a marker comes first, the rows are lost once, for its reason.
    """
    chance = random.Random(seed)
    for _ in range(60):
        start, count, by = chance.randrange(0, 50), chance.randrange(1, 20), writer(chance.randrange(2, 4))
        if chance.random() < 0.3:
            bench.append(marker(run_in(0), by, start, count, reason=chance.choice(["damaged", "disk full", "nul \0"])))
        else:
            bench.append(block(run_in(0), by, start, count))
    sinks = [bench.sink() for _ in range(3)]
    connections = [await bench.connection() for _ in sinks]
    for _ in range(400):
        at = chance.randrange(3)
        start = max(0, await bench.next() + chance.randrange(-6, 2))
        if start >= len(bench.log):
            continue
        faults = [chance.choice(["", "", "", "before", "after"]) for _ in range(2)]
        try:
            await sinks[at].apply_batch(
                Faulty(connections[at], faults), bench.batch(start, start + chance.randrange(1, 9))
            )
        except ConnectionResetError:
            sinks[at].forget()
        if await bench.next() == len(bench.log):
            break
    assert await bench.next() == len(bench.log)
    first: dict[tuple[bytes, int], Event] = {}
    for event in cast("list[LogEvent]", bench.log):
        for seq in range(event.seq, event.seq + event.count):
            first.setdefault((event.writer.id, seq), event)
    stored = {(by, seq, 1) for (by, seq), event in first.items() if event.kind is Kind.DATA}
    assert await bench.lines() == sorted(stored)
    lost = {
        (by, seq): to_postgres_text(event.reason) for (by, seq), event in first.items() if event.kind is Kind.DROPPED
    }
    assert await bench.lost() == lost
