"""A batch writes of a large run what it changed: counted in rows and bytes that are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.summary import reader
from runstream_consumers.summary.consumer import SummaryConsumer, SummaryPartition
from runstream_schemas import events, values
from runstream_schemas.topics import Topic
from tests.integration.summary.feeding import connected
from tests.property.summary.runs import RUN, change_event

if TYPE_CHECKING:
    from runstream_consumers.runtime.plugin import Connection

_WRITER = events.Writer(id=b"1" * 16, role=events.Role.PRIMARY)
_KEYS = 1_600
#: Versions of rows: those of the run, and of its parts.
_DOCUMENT = "select md5(document) || md5(config) from run"
_PARTS = "select number, xmin::text as version from part"


def changed(topic: Topic, offset: int, assigned: dict[str, object]) -> Batch:
    """Return a batch of one event that assigns values to names; None removes one."""
    scope = events.Scope.CONFIG if topic is Topic.CONFIG else events.Scope.UNKNOWN
    entries = tuple(
        events.Entry(
            op=events.Operation.REMOVE if value is None else events.Operation.SET,
            path=(name,),
            value=values.dump(value),
            scope=scope,
        )
        for name, value in assigned.items()
    )
    event = change_event(_WRITER, topic, [events.Record(order=offset, time=0, entries=entries)])
    received = Received(topic=topic, partition=0, offset=offset, append_time=offset + 1, message=b"", event=event)
    return Batch(partition=0, events=[received])


async def prepared(connection: Connection, database: str) -> None:
    """Create the tables of the consumer."""
    await prepare_tables(SummaryConsumer(), database)
    await connection.execute("set search_path = summary")


async def test_a_large_config_is_written_once_for_many_changes(database: str) -> None:
    """One key per batch writes that key; the document follows after as many changes as are worth it."""
    expected: dict[str, object] = {f"k{number}": number for number in range(_KEYS)}
    async with connected(database) as connection:
        await prepared(connection, database)
        partition = SummaryPartition()
        await partition.apply(connection, changed(Topic.CONFIG, 0, expected))
        whole = await connection.fetchval("select octet_length(document) from run")
        documents, written, restarted = set(), 0, SummaryPartition()
        for offset in range(1, 151):
            change: dict[str, object] = {f"k{offset}": None if offset % 7 == 0 else f"v{offset}"}
            # A process that starts loads the run with its changes.
            await (restarted if offset in {60, 61} else partition).apply(
                connection, changed(Topic.CONFIG, offset, change)
            )
            partition = restarted if offset == 61 else partition
            expected.update(change)
            documents.add(await connection.fetchval(_DOCUMENT))
            written += await connection.fetchval("select coalesce(max(octet_length(entries)), 0) from change")
            if offset % 30 == 1:
                document = await reader.run(connection, RUN)
                assert document is not None
                assert document.config == {name: value for name, value in expected.items() if value is not None}
        assert len(documents) == 2  # written again after 101 changes, one sixteenth of 1 600
        assert written < whole / 4
        assert await connection.fetchval("select count(*) from change") < 101
        [listed] = await reader.runs(connection)
        assert listed.config == {}


async def test_a_large_summary_set_by_hand_is_written_in_parts(database: str) -> None:
    """One name of many that were set by hand writes its part, and a run with such a summary is shown as a whole."""
    expected: dict[str, object] = {f"s{number}": number for number in range(_KEYS)}
    async with connected(database) as connection:
        await prepared(connection, database)
        await SummaryPartition().apply(connection, changed(Topic.SUMMARY, 0, expected))
        parts = dict(await connection.fetch(_PARTS))
        assert len(parts) > 100
        for offset, partition in enumerate([SummaryPartition(), SummaryPartition()], start=1):
            change: dict[str, object] = {f"s{offset}": "new", f"n{offset}": 1}
            await partition.apply(connection, changed(Topic.SUMMARY, offset, change))
            expected.update(change)
            known, parts = parts, dict(await connection.fetch(_PARTS))
            assert len(parts.items() - known.items()) <= len(change)
            assert await connection.fetchval("select octet_length(summary) from run") < 100
        document = await reader.run(connection, RUN)
        assert document is not None
        assert document.summary == expected
