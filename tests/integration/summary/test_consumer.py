"""The summary consumer on a real broker and a real database."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.summary import reader
from runstream_consumers.summary.consumer import SummaryConsumer, SummaryPartition
from runstream_schemas import values
from runstream_schemas.events import Entry, Operation, Record, Role, Scope, Stream, Writer
from runstream_schemas.topics import RunPath, Topic
from tests.events import changed
from tests.integration.summary.feeding import connected, consuming, feed, settings_of
from tests.polling import eventually_async
from tests.property.summary.runs import RUN, change_event, log_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream_consumers.runtime.plugin import Connection
    from runstream_consumers.summary.reader import RunDocument
    from runstream_schemas.events import ChangeEvent, Event, LogEvent

TRAINER = Writer(id=b"t" * 16, role=Role.PRIMARY)
SHIPPER = Writer(id=b"s" * 16, role=Role.SHIPPER)


def config(order: int, *entries: tuple[Scope, str, Any], writer: Writer = TRAINER) -> ChangeEvent:
    """Return a config record that sets values."""
    made = tuple(
        Entry(op=Operation.SET, path=(key,), value=values.dump(value), scope=scope) for scope, key, value in entries
    )
    return change_event(writer, Topic.CONFIG, [Record(order=order, time=0, entries=made)])


def by_hand(order: int, path: tuple[str, ...], value: Any) -> ChangeEvent:
    """Return a summary record that sets one value."""
    entry = Entry(op=Operation.SET, path=path, value=values.dump(value))
    return change_event(TRAINER, Topic.SUMMARY, [Record(order=order, time=0, entries=(entry,))])


def rows(order: int, logged: Sequence[dict[str, Any]]) -> LogEvent:
    """Return a block of rows whose steps equal their orders."""
    return log_event(TRAINER, logged, range(order, order + len(logged)), order)


async def stored(connection: Connection, run: RunPath = RUN, *, last_step: int) -> RunDocument:
    """Return a run once its last step is the given one."""

    async def found() -> RunDocument:
        document = await reader.run(connection, run)
        assert document is not None
        assert last_step == document.last_step
        return document

    return await eventually_async(found)


async def ready(connection: Connection) -> None:
    """Wait until the consumer has created its table."""

    async def found() -> bool:
        return bool(await connection.fetchval("select to_regclass('summary.run') is not null"))

    await eventually_async(found)


async def test_the_document_of_a_run_has_config_metrics_and_rows(broker: str, prefix: str, database: str) -> None:
    """Config, attributes, metrics and rows of three topics are combined; other streams are ignored."""
    definition = {"name": "loss", "glob": False, "summary": ["min"], "goal": None, "overwrite": False}
    events: list[Event] = [
        config(
            0,
            (Scope.ATTRIBUTE, "name", "sunny-sky-1"),
            (Scope.METADATA, "host", "node\0one"),
            (Scope.CONFIG, "lr", 0.1),
            (Scope.CONFIG, "layers", {"sizes": [1, 2]}),
            (Scope.METRIC, "loss", definition),
        ),
        config(0, (Scope.ATTRIBUTE, "name", "not the run's"), writer=SHIPPER),
        rows(1, [{"loss": 0.5, "acc": {"val": math.nan}}, {"loss": 0.25, "acc": {"val": 0.5}}, {"loss": 0.75}]),
        changed(rows(0, [{"cpu": 1.0}]), stream=Stream.SYSTEM, writer=SHIPPER),
        by_hand(4, ("note",), "a\0b \ud800"),
    ]
    await feed(broker, prefix, events)
    async with consuming(SummaryConsumer(), settings_of(broker, prefix, database)), connected(database) as connection:
        await ready(connection)

        async def complete() -> RunDocument:
            document = await stored(connection, last_step=3)
            assert document.config
            assert "note" in document.summary
            return document

        document = await eventually_async(complete)
    logged = {"acc": {"val": 0.5}, "loss": {"min": 0.25}, "note": "a\0b \ud800"}
    assert document.summary == logged | {"_step": 3, "_timestamp": 3e-6}
    assert document.config == {"lr": 0.1, "layers": {"sizes": [1, 2]}}
    assert (document.attributes, document.metadata) == ({"name": "sunny-sky-1"}, {"host": "node\0one"})
    assert [(metric["name"], metric["summary"]) for metric in document.metrics] == [("loss", ["min"])]
    assert (document.run, document.last_step) == (RUN, 3)


async def test_a_restarted_consumer_continues_from_the_stored_state(broker: str, prefix: str, database: str) -> None:
    """Two consumers one after the other, with small batches, store the same row as one consumer with one batch."""
    logged = [{"loss": math.sin(number) * 10.0 ** (number % 30), "text": str(number)} for number in range(90)]
    events = [rows(start, logged[start : start + 3]) for start in range(0, 90, 3)]
    settings = settings_of(broker, prefix, database)
    small = Options(batch_events=4)
    async with connected(database) as connection:
        await feed(broker, prefix, events[:10])
        async with consuming(SummaryConsumer(), settings, small):
            await ready(connection)
            await stored(connection, last_step=29)
        await feed(broker, prefix, [*events[5:10], *events[10:]])
        async with consuming(SummaryConsumer(), settings, small):
            document = await stored(connection, last_step=89)
        parts = await connection.fetchrow("select keys, document, summary from summary.run")
        await connection.execute("drop schema summary cascade; delete from runtime.migration where schema = 'summary'")
        await connection.execute("truncate runtime.sink_offset, runtime.writer_progress")
        async with consuming(SummaryConsumer(), settings):
            await ready(connection)
            assert document.summary == (await stored(connection, last_step=89)).summary
        assert parts == await connection.fetchrow("select keys, document, summary from summary.run")


async def test_runs_and_projects_are_listed_newest_first(broker: str, prefix: str, database: str) -> None:
    """The pages of runs have no gaps, within an entity, within a project, and over all."""
    paths = [RunPath(entity="team", project=f"p{number % 2}", run_id=f"r{number}") for number in range(5)]
    async with consuming(SummaryConsumer(), settings_of(broker, prefix, database)), connected(database) as connection:
        await ready(connection)
        for path in paths:
            await feed(broker, prefix, [changed(rows(0, [{"x": 1}]), run=path)])
            await stored(connection, path, last_step=0)
        first = await reader.runs(connection, limit=2)
        second = await reader.runs(connection, limit=9, after=first[-1].cursor)
        assert list(reversed(paths)) == [document.run for document in [*first, *second]]
        assert [paths[3], paths[1]] == [document.run for document in await reader.runs(connection, project="p1")]
        assert await reader.runs(connection, entity="nobody") == []
        with pytest.raises(ValueError, match="Invalid cursor"):
            await reader.runs(connection, after="bm8=")
        projects = await reader.projects(connection)
    assert [(item.entity, item.project, item.runs) for item in projects] == [("team", "p0", 3), ("team", "p1", 2)]


async def test_an_event_that_cannot_be_folded_is_quarantined(broker: str, prefix: str, database: str) -> None:
    """A change whose writer makes a run continue too many others is quarantined; the other events are folded."""
    entry = Entry(op=Operation.SET, path=("lr",), value="1", scope=Scope.CONFIG)
    events: list[Event] = [rows(1, [{"loss": 1.0}])]
    for number in range(3):
        others = tuple(other.to_bytes(16, "big") for other in range(8_000 * number, 8_000 * (number + 1)))
        many = Writer(id=bytes([number]) * 16, role=Role.PRIMARY, continues=others)
        events.append(change_event(many, Topic.CONFIG, [Record(order=number, time=0, entries=(entry,))]))
    await feed(broker, prefix, events)
    async with consuming(SummaryConsumer(), settings_of(broker, prefix, database)), connected(database) as connection:
        await ready(connection)
        document = await stored(connection, last_step=1)

        async def quarantined() -> list[Any]:
            return list(await connection.fetch("select topic, stage from runtime.quarantine"))

        assert [(f"{prefix}.config", "apply")] == [tuple(row) for row in await eventually_async(quarantined)]
    assert document.summary == {"loss": 1.0, "_step": 1, "_timestamp": 1e-6}


async def test_evicted_runs_are_loaded_again(database: str) -> None:
    """A partition with an empty cache stores the same rows as one that caches everything."""
    consumer = SummaryConsumer()
    paths = [RunPath(entity="team", project="p", run_id=f"r{number}") for number in range(3)]
    found = []
    for weight in (0, 10_000):
        async with connected(database) as connection:
            await connection.execute("drop schema if exists summary cascade; drop schema if exists runtime cascade")
            await prepare_tables(consumer, database)
            await connection.execute("set search_path = summary")
            partition = SummaryPartition(weight)
            for offset in range(9):
                await partition.apply(connection, batch_of(offset, paths[offset % 3], {"x": offset}))
            found.append(await connection.fetch("select * from summary.run order by run"))
    assert found[0] == found[1]
    assert [values.load(row["summary"])["x"] for row in sorted(found[0], key=lambda row: row["run_id"])] == [6, 7, 8]


async def test_the_cache_evicts_the_least_recently_used_run(database: str) -> None:
    """Beyond the weight of the cache, the run that was not used for longest is loaded again, and the others are not."""
    a, b, c = (RunPath(entity="team", project="p", run_id=name) for name in "abc")
    row = {f"k{number}": 1 for number in range(8)}
    async with connected(database) as connection:
        await prepare_tables(SummaryConsumer(), database)
        await connection.execute("set search_path = summary")
        partition = SummaryPartition(40)  # two runs with a weight of 18 each
        for offset, path in enumerate((a, b, a, c)):
            await partition.apply(connection, batch_of(offset, path, row))
        await connection.execute("update run set keys = ''")
        await partition.apply(connection, batch_of(4, a, row))
        await partition.apply(connection, batch_of(5, c, row))
        with pytest.raises(msgspec.DecodeError):
            await partition.apply(connection, batch_of(6, b, row))


async def test_a_run_larger_than_the_cache_stays_cached(database: str) -> None:
    """A run that exceeds the weight of the cache is not loaded again for its next batch."""
    path = RunPath(entity="team", project="p", run_id="large")
    async with connected(database) as connection:
        await prepare_tables(SummaryConsumer(), database)
        await connection.execute("set search_path = summary")
        partition = SummaryPartition(50)
        await partition.apply(connection, batch_of(0, path, {f"k{number}": 1 for number in range(60)}))
        await connection.execute("update run set keys = ''")
        await partition.apply(connection, batch_of(1, path, {"k0": 2}))
        row = await connection.fetchrow("select summary from run")
        assert values.load(row["summary"])["k0"] == 2


def batch_of(offset: int, path: RunPath, row: dict[str, Any]) -> Batch:
    """Return a batch of one row."""
    event = changed(rows(offset, [row]), run=path)
    received = Received(topic=Topic.LOG, partition=0, offset=offset, append_time=offset + 1, message=b"", event=event)
    return Batch(partition=0, events=[received])
