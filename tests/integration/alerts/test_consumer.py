"""The alerts consumer on a real broker and a real database."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstream_consumers.alerts import reader
from runstream_consumers.alerts.consumer import AlertsConsumer, AlertsPartition
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.process import prepare_tables
from runstream_schemas.events import AlertEvent, AlertLevel, Header, Kind, Role, Writer
from runstream_schemas.topics import RunPath, Topic
from tests.conftest import run_aside
from tests.integration.summary.feeding import connected, consuming, feed, settings_of
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.alerts.reader import Alert
    from runstream_consumers.runtime.plugin import Connection

TRAINER = Writer(id=b"t" * 16, role=Role.PRIMARY)
RUN = RunPath(entity="team", project="digits", run_id="one")
_SECOND = 1_000_000
_EVERYTHING = 'select * from alerts.alert order by partition, "offset"'


def alert(number: int, title: str, *, wait_s: float = 60, run: RunPath = RUN, full_title: str = "") -> AlertEvent:
    """Return an alert with a number."""
    return AlertEvent(
        header=Header(kind=Kind.DATA, run=run, writer=TRAINER, time=1, seq=number, order=number),
        title=title,
        full_title=full_title,
        text=f"text {number}\0",
        level=AlertLevel.WARN,
        wait_duration_ms=round(wait_s * 1000),
    )


def received(event: AlertEvent, offset: int, append_time: int) -> Received:
    """Return an event as received, with an append time of the broker."""
    return Received(topic=Topic.ALERT, partition=0, offset=offset, append_time=append_time, message=b"", event=event)


async def stored(connection: Connection) -> list[Alert]:
    """Return all alerts of the run."""
    return await reader.of_run(connection, RUN, repeats=True)


async def ready(connection: Connection) -> None:
    """Wait until the consumer has created its table."""

    async def found() -> bool:
        return bool(await connection.fetchval("select to_regclass('alerts.alert') is not null"))

    await eventually_async(found)


async def test_alerts_are_stored_and_repeats_within_the_wait_marked(broker: str, prefix: str, database: str) -> None:
    """Of three alerts with the same title within the wait, the first is displayed with its number of repeats."""
    long = "a" * 100
    events = [
        alert(0, "loss"),
        alert(1, "loss"),
        alert(2, "other", wait_s=0),
        alert(3, "loss"),
        alert(4, "other", wait_s=0),
        alert(5, "aaa…", full_title=long),
        alert(6, "aaa…", full_title=long + "b"),
    ]
    await feed(broker, prefix, [*events, events[1]])
    async with consuming(AlertsConsumer(), settings_of(broker, prefix, database)), connected(database) as connection:
        await ready(connection)

        async def all_of_them() -> list[Alert]:
            found = await stored(connection)
            assert len(found) == 7
            return found

        found = await eventually_async(all_of_them)
        shown = await reader.of_run(connection, RUN)
    assert [(one.order, one.repeat, one.repeats) for one in found] == [
        (0, False, 2),
        (1, True, 0),
        (2, False, 0),
        (3, True, 0),
        (4, False, 0),
        (5, False, 0),
        (6, False, 0),
    ]
    assert shown == [one for one in found if not one.repeat]
    assert (found[0].text, found[0].level, found[0].title) == ("text 0\0", "WARN", "loss")
    assert found[5].full_title == long


async def test_a_replay_marks_the_same_alerts(broker: str, prefix: str, database: str) -> None:
    """A table rebuilt from the topic equals the one that was filled alert by alert, since only append times matter."""
    settings = settings_of(broker, prefix, database)
    async with connected(database) as connection:
        async with consuming(AlertsConsumer(), settings):
            await ready(connection)
            await feed(broker, prefix, [alert(0, "a", wait_s=0.001), alert(1, "b")])
            await eventually_async(lambda: _count(connection, 2))
            # By now the wait of "a" has passed, but not that of "b".
            await feed(broker, prefix, [alert(2, "a"), alert(3, "b")])
            await eventually_async(lambda: _count(connection, 4))
        grown = await connection.fetch(_EVERYTHING)
        await connection.execute("drop schema alerts cascade")
        await connection.execute("delete from runtime.migration where schema = 'alerts'")
        await connection.execute("truncate runtime.sink_offset, runtime.writer_progress")
        async with consuming(AlertsConsumer(), settings):
            await ready(connection)
            await eventually_async(lambda: _count(connection, 4))
        assert grown == await connection.fetch(_EVERYTHING)
    assert [row["repeat_of"] is not None for row in grown] == [False, False, False, True]


async def _count(connection: Connection, number: int) -> bool:
    return bool(await connection.fetchval("select count(*) from alerts.alert") == number)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    pace=st.lists(st.tuples(st.integers(-2, 9), st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=25),
    cuts=st.sets(st.integers(1, 24)),
    late=st.sets(st.integers(0, 24), max_size=4),
)
def test_batching_does_not_affect_the_result(
    database: str, pace: list[tuple[int, str, int]], cuts: set[int], late: set[int]
) -> None:
    """The table depends neither on the batches nor on which alert was redriven last."""
    moment, events = 100, []
    for number, (step, title, wait_s) in enumerate(pace):
        moment += step
        events.append(received(alert(number, title, wait_s=wait_s), number, moment * _SECOND))
    in_time = [event for event in events if event.offset not in late]
    edges = [0, *sorted(cut for cut in cuts if cut < len(in_time)), len(in_time)]
    batches = [in_time[start:end] for start, end in itertools.pairwise(edges)]
    batches += [[event] for event in events if event.offset in late]
    whole, cut = run_aside(_table(database, [events])), run_aside(_table(database, batches))
    assert whole == cut


async def _table(database: str, batches: Sequence[Sequence[Received]]) -> list[tuple[object, ...]]:
    async with connected(database) as connection:
        await prepare_tables(AlertsConsumer(), database)
        await connection.execute("truncate alerts.alert; set search_path = alerts")
        for events in batches:
            if events:
                await AlertsPartition().apply(connection, Batch(partition=0, events=events))
        rows = await connection.fetch(_EVERYTHING)
    return [tuple(row) for row in rows]


async def test_alerts_of_a_project_are_listed_newest_first(broker: str, prefix: str, database: str) -> None:
    """The pages of a project's alerts have no gaps and no duplicates."""
    runs = [RunPath(entity="team", project="digits", run_id=uuid.uuid4().hex) for _ in range(5)]
    events = [alert(number, "t", run=run) for run in runs for number in (0, 1)]
    async with consuming(AlertsConsumer(), settings_of(broker, prefix, database)), connected(database) as connection:
        await ready(connection)
        for event in events:
            await feed(broker, prefix, [event])
        await eventually_async(lambda: _count(connection, 10))
        first = await reader.of_project(connection, entity="team", project="digits", limit=3)
        rest = await reader.of_project(connection, entity="team", project="digits", after=first[-1].place)
        assert await reader.of_project(connection, project="nothing") == []
    assert [run.run_id for run in reversed(runs)] == [one.run.run_id for one in [*first, *rest]]
    assert {one.repeats for one in [*first, *rest]} == {1}
