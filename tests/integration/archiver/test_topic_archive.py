"""Topics are archived unchanged, trimmed no further than that, and read as if nothing had been deleted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from runstream_consumers.archiver.archiving import Archiver
from runstream_consumers.archiver.chunk_store import ChunkStore
from runstream_consumers.archiver.process import archive_once, writable
from runstream_consumers.archiver.trimming import NothingArchived, plan_trim
from runstream_consumers.runtime.dry_run import dry_run
from runstream_consumers.runtime.exceptions import ArchiveDamaged
from runstream_consumers.runtime.kafka.client import connected_reader
from runstream_consumers.runtime.process import consume
from runstream_consumers.runtime.rebuild import describe_rebuild, reset
from runstream_schemas.codec import encode
from runstream_schemas.topics import Topic, partition_of, topic_name
from tests.integration.archiver.archived import (
    NOW,
    archived_messages,
    environment_of,
    topic_messages,
    trim_all,
)
from tests.integration.runtime.events import block, changes, publish, publish_messages, run_in, writer
from tests.integration.runtime.ledger import QUICK, LedgerConsumer, consuming, fetch
from tests.integration.runtime.test_consume import expect_ledger

if TYPE_CHECKING:
    from runstream_consumers.archiver.settings import ArchiverSettings
    from runstream_schemas.events import Event

OLD: list[Event] = [
    *(block(run_in(0), writer(1), seq, 1) for seq in range(20)),
    changes(run_in(1), writer(1), 0, ["1", "2"]),
]
NEW: list[Event] = [block(run_in(0), writer(1), 20, 3), changes(run_in(1), writer(1), 2, ["3"])]


async def test_messages_are_archived_unchanged(settings: ArchiverSettings) -> None:
    """Keys, headers, times, missing values and bytes that are no event are archived, each message once."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    name = topic_name(settings.prefix, Topic.LOG)
    sent: list[dict[str, Any]] = [
        {"value": b"no event", "key": b"k", "headers": [("a", b"1"), ("a", b""), ("b", None)]},
        {"value": None, "key": b""},
        {"value": b"", "timestamp_ms": 1234},
    ]
    for one in sent:
        await producer.send_and_wait(name, partition=1, **one)
    await producer.stop()
    await publish(settings.kafka, settings.prefix, OLD)
    assert await archive_once(settings) == 3 + len(OLD)
    assert await archive_once(settings) == 0
    await publish(settings.kafka, settings.prefix, NEW)
    assert await archive_once(settings) == len(NEW)
    archived = await archived_messages(settings)
    assert archived == await topic_messages(settings)
    assert len(await fetch(settings.postgres, "select from control.topic_chunk")) > 5
    assert await fetch(settings.postgres, "select key from control.topic_object") == []


async def test_a_trimmed_topic_is_read_from_the_archive(settings: ArchiverSettings) -> None:
    """A new consumer, one that is behind, a rebuild and a dry run get every record once after a trim."""
    database = settings.postgres
    await publish(settings.kafka, settings.prefix, OLD[:3])
    behind = LedgerConsumer(topics=[Topic.LOG])
    behind.name = "behind"
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, OLD[:3])
    await publish(settings.kafka, settings.prefix, OLD[3:])
    await archive_once(settings)
    await publish(settings.kafka, settings.prefix, NEW)
    done = await trim_all(settings)
    assert sum(one.messages for one in done) == len(OLD)
    assert sum(map(len, (await topic_messages(settings)).values())) == len(NEW)
    report = await dry_run(behind, settings, QUICK, start="beginning")
    assert report.read == {topic_name(settings.prefix, Topic.LOG): 21}
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [*OLD, *NEW])
    assert "deleted" not in await describe_rebuild(LedgerConsumer(), settings, QUICK)
    await reset(LedgerConsumer(), settings, QUICK, start=None)
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [*OLD, *NEW])
    assert await fetch(database, "select * from runtime.loss") == []
    assert await fetch(database, "select * from runtime.quarantine") == []


async def test_offsets_without_a_message_are_passed(settings: ArchiverSettings) -> None:
    """Transactions of other programs leave markers: they are archived and trimmed past, and a consumer reads on."""
    messages = [encode(event) for event in OLD[:6]]
    name, number = topic_name(settings.prefix, Topic.LOG), partition_of(run_in(0), settings.partitions)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, transactional_id=settings.prefix)
    await producer.start()
    for first in range(0, 6, 2):
        async with producer.transaction():
            for message in messages[first : first + 2]:
                await producer.send_and_wait(name, message, partition=number)
        assert await archive_once(settings) == 2
    await producer.stop()
    await publish(settings.kafka, settings.prefix, OLD[6:])
    await archive_once(settings)
    assert await archived_messages(settings) == await topic_messages(settings)
    assert sum(one.messages for one in await trim_all(settings)) == len(OLD) + 3
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(settings.postgres, OLD)


async def test_a_start_time_is_found_in_the_archive(settings: ArchiverSettings) -> None:
    """A consumer that begins at a time gets the archived messages since then, and no earlier one."""
    await publish(settings.kafka, settings.prefix, OLD)
    await archive_once(settings)
    messages = (await archived_messages(settings)).values()
    times = sorted({message.timestamp for one in messages for message in one})
    await trim_all(settings)
    since = times[len(times) // 2]
    text = (await fetch(settings.postgres, "select to_timestamp($1::bigint / 1000.0)", since))[0][0].isoformat()
    count = sum(message.timestamp >= since for one in messages for message in one)
    report = await dry_run(LedgerConsumer(), settings, QUICK, start=text)
    assert 0 < sum(report.read.values()) == count < len(OLD)


async def test_nothing_is_deleted_that_is_not_archived(settings: ArchiverSettings) -> None:
    """Without an archive a trim is refused; a message that is not archived, too new or damaged there stays."""
    await publish(settings.kafka, settings.prefix, OLD)
    async with writable(settings) as chunks:
        with pytest.raises(NothingArchived, match="Nothing is archived, so nothing can be deleted"):
            await plan_trim(settings, chunks, before=NOW)
    await archive_once(settings)
    async with writable(settings) as chunks:
        assert not any(one.messages for one in await plan_trim(settings, chunks, before=0))
        keys = [row["key"] for row in await fetch(settings.postgres, "select key from control.topic_chunk")]
        log_key = next(key for key in keys if f"{settings.prefix}.log/" in key)
        await chunks.store.write(log_key, b"damaged")
    before = await topic_messages(settings)
    by_topic = {one.partition.topic: one for one in await trim_all(settings)}
    damaged = by_topic[topic_name(settings.prefix, Topic.LOG)]
    assert damaged.messages == 0
    assert f"The object {log_key} of the topic archive has other content than was stored" in damaged.problem
    after = await topic_messages(settings)
    assert after == {one: messages for one, messages in before.items() if one.topic == damaged.partition.topic}
    await fetch(settings.postgres, "delete from control.topic_chunk where key = $1", log_key)
    plan = await _planned(settings)
    assert plan[topic_name(settings.prefix, Topic.LOG)] == 0


async def test_a_damaged_object_stops_a_consumer(settings: ArchiverSettings) -> None:
    """A consumer that needs an object that is missing ends with its key, instead of skipping messages."""
    await publish(settings.kafka, settings.prefix, OLD[:5])
    await archive_once(settings)
    await trim_all(settings)
    key = (await fetch(settings.postgres, "select key from control.topic_chunk"))[0]["key"]
    async with writable(settings) as chunks:
        await chunks.store.delete([key])
    with pytest.raises(ArchiveDamaged, match=f"The object {key} of the topic archive is missing"):
        await consume(LedgerConsumer(), settings, stop=asyncio.Event(), options=QUICK)
    assert await fetch(settings.postgres, "select * from runtime.loss") == []


async def test_a_topic_that_expires_before_it_is_archived_leaves_a_loss(settings: ArchiverSettings) -> None:
    """What the broker deletes before it is archived is missing; the rest is archived, and readers record a loss."""
    await publish(settings.kafka, settings.prefix, OLD[:4])
    await archive_once(settings)
    await publish(settings.kafka, settings.prefix, OLD[4:8])
    name = topic_name(settings.prefix, Topic.LOG)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=6)})
    await admin.close()
    await archive_once(settings)
    assert sum(one.messages for one in await trim_all(settings)) == 2
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(settings.postgres, [*OLD[:4], *OLD[6:8]])
    losses = await fetch(settings.postgres, "select first, stop from runtime.loss")
    assert [tuple(row) for row in losses] == [(4, 6)]


class _Dying:
    """A connection that is lost with a statement: before the server receives it, or after."""

    def __init__(self, connection: Any, statement: int, *, after: bool) -> None:
        self._connection, self._left, self._after = connection, statement, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, *arguments: Any) -> Any:
        """Execute a statement, unless it is the last one."""
        self._left -= 1
        if self._left >= 0 or self._after:
            answer = await self._connection.execute(*arguments)
        if self._left < 0:
            self._connection.terminate()
            raise ConnectionResetError("killed")
        return answer


async def test_a_kill_anywhere_loses_and_repeats_nothing(settings: ArchiverSettings) -> None:
    """After a process is lost at any statement, the next one archives each message once and deletes what is unused."""
    await archive_once(settings)
    for statement in range(8):  # each adds a chunk with four statements
        await publish(settings.kafka, settings.prefix, [block(run_in(0), writer(1), statement, 1)])
        async with writable(settings) as chunks, connected_reader(settings.kafka, QUICK) as kafka:
            dying: Any = _Dying(chunks.connection, statement // 2, after=bool(statement % 2))
            with pytest.raises((ConnectionResetError, asyncpg.InterfaceError)):
                await Archiver(settings, ChunkStore(dying, chunks.store), kafka).run_once(now=float("inf"))
    await archive_once(settings.model_copy(update={"archive_grace_s": 0.0}))
    assert await archived_messages(settings) == await topic_messages(settings)
    async with writable(settings) as chunks:
        stored = {one.key async for page in chunks.store.objects("topics/") for one in page}
    assert stored == {row["key"] for row in await fetch(settings.postgres, "select key from control.topic_chunk")}


async def test_the_commands(settings: ArchiverSettings) -> None:
    """``archive --once`` and ``trim`` print what they do; without --yes and a terminal nothing is deleted."""
    await publish_messages(settings.kafka, settings.prefix, [(Topic.LOG, 0, b"x")] * 3)
    refused = _run(settings, "trim", "--keep-days", "0")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Nothing is archived" in refused.stderr
    assert _run(settings, "archive", "--once").stdout == "Archived 3 messages.\n"
    name = topic_name(settings.prefix, Topic.LOG)
    plan = f"{name}[0]: offsets 0 to 2 of those archived up to 2\nWould delete 3 messages of 1 partitions.\n"
    asked = _run(settings, "trim", "--keep-days", "0")
    assert (asked.returncode, asked.stdout) == (1, plan + "Nothing was deleted: add --yes to confirm.\n")
    assert len(await topic_messages(settings)) == 1
    done = _run(settings, "trim", "--keep-days", "0", "--yes")
    assert (done.returncode, done.stdout) == (0, plan + plan.replace("Would delete", "Deleted"))
    assert await topic_messages(settings) == {}
    purged = _run(settings, "purge", "--dry-run")
    assert "Would remove 0 messages of 0 deleted runs from 0 objects of the topic archive.\n" in purged.stdout
    assert (purged.returncode, "No files are removed" in purged.stdout, purged.stderr) == (1, True, "")


async def _planned(settings: ArchiverSettings) -> dict[str, int]:
    async with writable(settings) as chunks:
        plan = await plan_trim(settings, chunks, before=NOW)
    return {one.partition.topic: one.messages for one in plan if one.partition.partition == 0}


def _run(settings: ArchiverSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runstream", *arguments]
    return subprocess.run(
        command, env=os.environ | environment_of(settings), capture_output=True, text=True, timeout=60, check=False
    )
