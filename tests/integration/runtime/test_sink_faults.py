"""Errors and cancellations at each step of a batch, on a real database; docs/consumers.md lists them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_schemas.events import LogEvent
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.topics import Topic
from tests.integration.runtime.events import block, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, LedgerPartition, fetch
from tests.integration.runtime.test_sink import LOG, Bench, bench, once

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from runstream_consumers.runtime.plugin import Batch, Connection, Context

__all__ = ["bench"]


class Intercepted:
    """A connection that calls a function before each outer transaction begins, and around its commit."""

    def __init__(
        self,
        connection: Connection,
        *,
        before_begin: Callable[[], Awaitable[None]] | None = None,
        before_commit: Callable[[], Awaitable[None]] | None = None,
        after_commit: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._connection = connection
        self._before_begin = before_begin
        self._before_commit = before_commit
        self._after_commit = after_commit

    def __getattr__(self, name: str) -> Any:
        """Return the attribute of the connection."""
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run a transaction."""
        is_outer = not self._connection.is_in_transaction()
        if is_outer and self._before_begin:
            await self._before_begin()
        async with self._connection.transaction():
            yield
            if is_outer and self._before_commit:
                await self._before_commit()
        if is_outer and self._after_commit:
            await self._after_commit()


async def cancel_this() -> None:
    """Cancel the task that awaits this."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


@pytest.mark.parametrize(("moment", "stored"), [("before_commit", 0), ("after_commit", 4)])
async def test_a_cancel_around_the_commit_stores_all_or_nothing(bench: Bench, moment: str, stored: int) -> None:
    """A batch that is cancelled before or after its commit is stored once when it is passed again."""
    sink, connection = bench.sink(), await bench.connection()
    await sink.apply_batch(connection, {})
    with pytest.raises(asyncio.CancelledError):
        await sink.apply_batch(Intercepted(connection, **{moment: cancel_this}), bench.batch(0, 4))
    assert await bench.next() == stored
    sink.forget()
    await sink.apply_batch(await bench.connection(), bench.batch(0, 4))
    assert await bench.lines() == once(4)


async def test_a_cancel_while_the_commit_is_under_way_stores_all_or_nothing(bench: Bench) -> None:
    """A task that is cancelled while it waits for the answer to its commit leaves a batch that can be passed again."""
    sink, connection = bench.sink(), await bench.connection()
    await sink.apply_batch(connection, {})
    committing = asyncio.Event()

    async def signal() -> None:
        committing.set()

    task = asyncio.create_task(sink.apply_batch(Intercepted(connection, before_commit=signal), bench.batch(0, 4)))
    await committing.wait()
    task.cancel()
    await asyncio.wait([task])
    assert await bench.next() in (0, 4)
    connection.terminate()
    sink.forget()
    await sink.apply_batch(await bench.connection(), bench.batch(0, 4))
    assert await bench.lines() == once(4)


async def test_a_sink_that_is_overtaken_twice_stores_the_rest(bench: Bench) -> None:
    """If another process moves the offsets before each of two attempts, the third attempt stores the rest."""
    slow, fast = bench.sink(), bench.sink()
    other, moves = await bench.connection(), iter([None, (0, 2), None, (2, 3)])

    async def overtake() -> None:
        if span := next(moves, None):
            await fast.apply_batch(other, bench.batch(*span))

    connection = Intercepted(await bench.connection(), before_begin=overtake)
    await slow.apply_batch(connection, bench.batch(0, 5))
    assert await bench.lines() == once(5)
    assert await bench.next() == 5


async def test_a_missing_offset_row_is_an_error(bench: Bench) -> None:
    """A sink whose row was deleted raises RuntimeFault and stores nothing."""
    sink = bench.sink()
    await fetch(bench.dsn, "delete from runtime.sink_offset")
    with pytest.raises(RuntimeFault, match="sink_offset"):
        await sink.apply_batch(await bench.connection(), bench.batch(0, 4))
    assert await bench.lines() == []


class PoisonedPartition(LedgerPartition):
    """Fails on record 2, and runs a function after its first failure."""

    after_failure: Callable[[Connection], Awaitable[None]] | None = None
    failures = 0

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Apply the batch."""
        if PoisonedPartition.failures and PoisonedPartition.after_failure:
            await PoisonedPartition.after_failure(connection)
        await super().apply(connection, batch)
        if any(isinstance(item.event, LogEvent) and item.event.seq == 2 for item in batch.events):
            PoisonedPartition.failures += 1
            raise ValueError("record 2")


class PoisonedConsumer(LedgerConsumer):
    """A ledger that cannot apply record 2."""

    def partition(self, number: int, context: Context) -> PoisonedPartition:
        """Return the work on one partition number."""
        return PoisonedPartition(number, context, strict=False)


@pytest.fixture
def poisoned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return the bench with a consumer that fails on record 2."""
    bench.consumer = PoisonedConsumer(topics=[Topic.LOG])
    monkeypatch.setattr(PoisonedPartition, "failures", 0)
    monkeypatch.setattr(PoisonedPartition, "after_failure", None)
    return bench


async def quarantined(bench: Bench) -> list[int]:
    """Return the offsets in quarantine."""
    return [row["offset"] for row in await fetch(bench.dsn, 'select "offset" from runtime.quarantine')]


async def test_a_connection_lost_while_halving_quarantines_nothing(
    poisoned: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost between savepoints rolls back the whole batch; the next attempt stores it."""

    async def lose(connection: Connection) -> None:
        await connection.fetchval("select pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(PoisonedPartition, "after_failure", staticmethod(lose))
    sink = poisoned.sink()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await sink.apply_batch(await poisoned.connection(), poisoned.batch(0, 5))
    assert (await poisoned.next(), await poisoned.lines(), await quarantined(poisoned)) == (0, [], [])
    monkeypatch.setattr(PoisonedPartition, "after_failure", None)
    sink.forget()
    await sink.apply_batch(await poisoned.connection(), poisoned.batch(0, 5))
    assert await poisoned.lines() == [line for line in once(5) if line[1] != 2]
    assert await quarantined(poisoned) == [2]


async def test_a_quarantine_that_cannot_be_written_rolls_back_the_batch(poisoned: Bench) -> None:
    """A batch is not stored if its quarantine cannot be written; it is once the table exists again."""
    await fetch(poisoned.dsn, "alter table runtime.quarantine rename to away")
    sink = poisoned.sink()
    with pytest.raises(asyncpg.UndefinedTableError):
        await sink.apply_batch(await poisoned.connection(), poisoned.batch(0, 5))
    assert (await poisoned.next(), await poisoned.lines()) == (0, [])
    await fetch(poisoned.dsn, "alter table runtime.away rename to quarantine")
    sink.forget()
    await sink.apply_batch(await poisoned.connection(), poisoned.batch(0, 5))
    assert await quarantined(poisoned) == [2]
    assert await fetch(poisoned.dsn, "select topic from runtime.sink_offset where next = 5") == [(LOG,)]


async def test_a_run_whose_events_all_fail_costs_few_attempts(bench: Bench) -> None:
    """Of a thousand failing events of a run, few are tried alone; its neighbors are applied in the same transaction."""
    bench.consumer = Refusing()
    hostile, near = run_in(0, 3), run_in(0, 4)
    for number in range(1000):
        bench.append(block(hostile, writer(1), number, 1))
        if number % 100 == 0:
            bench.append(block(near, writer(2), number // 100, 1))
    await bench.sink().apply_batch(await bench.connection(), bench.batch(0, len(bench.log)))

    # Ten failures among a thousand events, each found by halving, and once more the whole batch.
    assert sum(partition.attempts for partition in bench.consumer.made) < 10 * 2 * 11
    stored = await fetch(bench.dsn, "select count(*) as count from ledger.entry")
    rejected = await fetch(bench.dsn, 'select reason from runtime.quarantine order by "offset"')
    assert (stored[0]["count"], len(rejected), await bench.next()) == (20, 1000, len(bench.log))
    assert sum("set aside without an attempt" in row["reason"] for row in rejected) == 990


class Refusing(LedgerConsumer):
    """Refuses the events of one run."""

    def __init__(self) -> None:
        super().__init__(topics=[Topic.LOG])
        self.made: list[RefusingPartition] = []

    def partition(self, number: int, context: Context) -> RefusingPartition:
        """Return the work on one partition."""
        self.made.append(RefusingPartition(number, context, strict=False))
        return self.made[-1]


class RefusingPartition(LedgerPartition):
    """Counts attempts to apply events."""

    attempts = 0

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Raise an error if an event is one of the refused run."""
        self.attempts += 1
        if any(item.event.run == run_in(0, 3) for item in batch.events):
            raise MalformedEvent("refused")
        await super().apply(connection, batch)
