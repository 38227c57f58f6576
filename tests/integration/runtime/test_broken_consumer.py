"""Consumers with a bug, on a real broker and a real database."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from runstream_consumers.runtime.exceptions import RepeatedFailures
from runstream_consumers.runtime.plugin import Later
from runstream_consumers.runtime.process import consume
from tests.integration.runtime.events import changes, publish, run_in, writer
from tests.integration.runtime.ledger import QUICK, LedgerConsumer, LedgerPartition, consuming, fetch, settings_of
from tests.integration.runtime.test_consume import expect_ledger
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream_consumers.runtime.plugin import Batch, Connection, Context
    from runstream_schemas.events import Event
    from runstream_schemas.topics import RunPath

RUNS = [run_in(partition, number) for partition in (0, 1) for number in range(3)]


class BrokenConsumer(LedgerConsumer):
    """Raises a KeyError for the events of some runs."""

    def __init__(self, failing: Iterable[RunPath]) -> None:
        super().__init__()
        self.failing = frozenset(failing)

    def partition(self, number: int, context: Context) -> BrokenPartition:
        """Return the work on one partition number."""
        return BrokenPartition(number, context, self.failing)


class BrokenPartition(LedgerPartition):
    """Writes the first lines of a batch before it fails, like code that fails halfway."""

    def __init__(self, number: int, context: Context, failing: frozenset[RunPath]) -> None:
        super().__init__(number, context, strict=False)
        self.failing = failing

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Apply the batch, then look up a key that does not exist for some runs."""
        await super().apply(connection, batch)
        for item in batch.events:
            if item.event.run in self.failing:
                raise KeyError(item.event.run.run_id)


def events_of(runs: Iterable[RunPath], first: int, count: int = 4) -> list[Event]:
    """Return events with consecutive values of each run."""
    return [changes(run, writer(1), seq, [str(seq)]) for seq in range(first, first + count) for run in runs]


async def quarantined(database: str) -> int:
    """Return how many messages are in quarantine."""
    rows = await fetch(database, "select 1 from runtime.quarantine where redriven is null")
    return len(rows)


async def test_a_bug_that_hits_one_run_quarantines_its_messages_only(broker: str, prefix: str, database: str) -> None:
    """The messages of one failing run are quarantined, and the other runs are applied."""
    await publish(broker, prefix, events_of(RUNS, 0))
    async with consuming(BrokenConsumer(RUNS[:1]), settings_of(broker, prefix, database)):
        await expect_ledger(database, events_of(RUNS[1:], 0))
    assert await quarantined(database) == 4


async def test_a_bug_that_hits_all_runs_stops_the_consumer_and_loses_nothing(
    broker: str, prefix: str, database: str
) -> None:
    """A release that fails on every run stops, however often it is started; the fixed one applies everything."""
    settings = settings_of(broker, prefix, database)
    await publish(broker, prefix, events_of(RUNS, 0))
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, events_of(RUNS, 0))
    await publish(broker, prefix, events_of(RUNS, 4))
    for _ in range(3):
        with pytest.raises(RepeatedFailures, match=r"Messages of \d runs failed .* KeyError: .* continues at the same"):
            await consume(BrokenConsumer(RUNS), settings, stop=asyncio.Event(), options=QUICK)
        assert await quarantined(database) == 0
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, events_of(RUNS, 0, 8))
    assert await quarantined(database) == 0


class WaitingConsumer(LedgerConsumer):
    """Needs a service that cannot be reached at first."""

    def __init__(self) -> None:
        super().__init__()
        refused, slow = httpx.ConnectError("connection refused"), httpx.ReadTimeout("no answer")
        self.failures: list[Exception] = [refused, slow, TimeoutError("no answer"), Later("busy")]

    def partition(self, number: int, context: Context) -> WaitingPartition:
        """Return the work on one partition number."""
        return WaitingPartition(number, context, self.failures)


class WaitingPartition(LedgerPartition):
    """Raises each of the failures in turn while there are some, after it has written the batch."""

    def __init__(self, number: int, context: Context, failures: list[Exception]) -> None:
        super().__init__(number, context, strict=False)
        self.failures = failures

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Apply the batch, then fail unless the service answers."""
        await super().apply(connection, batch)
        if self.failures:
            self.failures.append(error := self.failures.pop(0))
            raise error


async def test_a_service_that_does_not_answer_delays_the_batch(broker: str, prefix: str, database: str) -> None:
    """Errors of another service are retried and their reasons stored; nothing is quarantined or applied twice."""
    await publish(broker, prefix, events_of(RUNS, 0))
    consumer = WaitingConsumer()
    async with consuming(consumer, settings_of(broker, prefix, database)):
        for kind in ("ConnectError: connection refused", "Later: busy"):
            await eventually_async(partial(_is_delayed_by, database, kind))
        consumer.failures.clear()
        await expect_ledger(database, events_of(RUNS, 0))
        await eventually_async(partial(_is_not_delayed, database))
    assert await quarantined(database) == 0


async def _is_delayed_by(database: str, error: str) -> bool:
    if (await fetch(database, "select to_regclass('runtime.delay') as found"))[0]["found"] is None:
        return False
    return bool(await fetch(database, "select 1 from runtime.delay where sink = 'ledger' and error = $1", error))


async def _is_not_delayed(database: str) -> bool:
    return not await fetch(database, "select 1 from runtime.delay")


async def test_failures_count_across_restarts(broker: str, prefix: str, database: str) -> None:
    """Failures that were tolerated one by one open the breaker of a later process, which quarantines nothing more."""
    settings = settings_of(broker, prefix, database)
    for number, run in enumerate(RUNS[:2], start=1):
        await publish(broker, prefix, events_of([run], 0, 1))
        async with consuming(BrokenConsumer(RUNS), settings):
            await _until_quarantined(database, number)
    await publish(broker, prefix, events_of(RUNS[2:3], 0, 1))
    with pytest.raises(RepeatedFailures, match="Messages of 3 runs"):
        await consume(BrokenConsumer(RUNS), settings, stop=asyncio.Event(), options=QUICK)
    assert await quarantined(database) == 2


async def _until_quarantined(database: str, count: int) -> None:
    async def found() -> bool:
        tables = await fetch(database, "select to_regclass('runtime.quarantine') as found")
        return tables[0]["found"] is not None and await quarantined(database) == count

    await eventually_async(found)
