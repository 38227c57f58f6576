"""The kit for tests of consumers, on a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runstream_consumers.alerts.consumer import AlertsConsumer
from runstream_consumers.functions import consumer, webhook
from runstream_consumers.testing import RecordedRun, check_replay, feeding
from runstream_schemas.topics import Topic
from tests.integration.runtime.ledger import LedgerConsumer, LedgerPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.functions import Row, Run
    from runstream_consumers.runtime.plugin import Batch, Connection, Context
    from runstream_deploy.services.postgres import Postgres


@pytest.fixture
def recorded() -> RecordedRun:
    """Return a run."""
    return RecordedRun("me/digits/r1")


async def test_a_feed_applies_events_once(database: str, recorded: RecordedRun) -> None:
    """Records that are repeated, also after a restart, are applied once; other topics are left out."""
    rows = recorded.log({"loss": 1.0}, {"loss": 0.5})
    async with feeding(LedgerConsumer(topics=[Topic.LOG]), database) as feed:
        await feed.apply(rows, rows, recorded.config({"lr": 1}))
        await feed.restart()
        await feed.apply(rows, recorded.log({"loss": 0.25}))
        values = [row["value"] for row in await feed.connection.fetch("select value from entry order by seq")]
    assert values == ["{'loss': 1.0}", "{'loss': 0.5}", "{'loss': 0.25}"]


async def test_a_feed_shows_why_an_event_would_be_quarantined(database: str, recorded: RecordedRun) -> None:
    """The error has the topic and the exception of the consumer."""
    async with feeding(LedgerConsumer(strict=True), database) as feed:
        with pytest.raises(AssertionError, match=r"1 messages are quarantined: runstream\.config: ValueError: not a"):
            await feed.apply(recorded.config({"key": "bad"}))


async def test_a_consumer_that_counts_records_is_not_affected_by_how_they_arrive(
    postgres: Postgres, recorded: RecordedRun
) -> None:
    """A consumer of records passes the check; a function passes it, too, with its messages."""

    @consumer("low", keys=["loss"], deliver=webhook("LOW_HOOK"))
    def low(run: Run, rows: Sequence[Row]) -> None:
        """Request a message for the first row with a low loss."""
        for row in rows:
            if row["loss"] < 0.6:
                run.once("low", row.step)

    events = [recorded.log({"loss": 1.0}, {"loss": 0.5}, {"x": 1}), recorded.log({"loss": 0.25})]
    await check_replay(LedgerConsumer, postgres.address(), [*events, recorded.config({"key": 1})])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOW_HOOK", "http://127.0.0.1:1")
        await check_replay(lambda: low, postgres.address(), events)


class EventCounter(LedgerConsumer):
    """Writes a line per event, which a shipper may divide as it likes."""

    def partition(self, number: int, context: Context) -> EventPartition:
        """Return the work on one partition."""
        return EventPartition(number, context, strict=False)


class EventPartition(LedgerPartition):
    """Counts events."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Insert a line per event."""
        insert = "insert into entry values ('log', 'r', gen_random_uuid(), 0, 'event')"
        await connection.executemany(insert, [() for _ in batch.events])


async def test_a_consumer_that_counts_events_is_found(postgres: Postgres, recorded: RecordedRun) -> None:
    """The check fails, and names the table and the way in which the events were applied."""
    event = recorded.log({"loss": 1.0}, {"loss": 0.5})
    with pytest.raises(AssertionError, match=r"applied divided and repeated:\na row has another number"):
        await check_replay(EventCounter, postgres.address(), [event], ignore=["writer"])


async def test_a_built_in_consumer_passes_the_check(postgres: Postgres, recorded: RecordedRun) -> None:
    """Alerts are stored once, with the same repeats, however they arrive."""
    events = [recorded.alert("loss is NaN", wait=60) for _ in range(3)] + [recorded.alert("disk full")]
    await check_replay(AlertsConsumer, postgres.address(), events, ignore=["offset", "append_time", "repeat_of"])
