"""The consume loop with a real broker and a real database."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from runstream_consumers.runtime.consuming.loop import ConsumeLoop
from runstream_consumers.runtime.exceptions import ConsumptionStalled, TopicMismatch, TopicRecreated
from runstream_consumers.runtime.kafka.client import KafkaProducer, make_consumer
from runstream_consumers.runtime.plugin import Context
from runstream_consumers.runtime.postgres.connection import connect, connected
from runstream_consumers.runtime.postgres.reader import progress
from runstream_consumers.runtime.process import consume, prepare_tables, redrive_quarantine
from runstream_deploy.services.topics import ensure_topics
from runstream_schemas.codec import encode
from runstream_schemas.events import Kind
from runstream_schemas.framing import frame
from runstream_schemas.topics import Topic, topic_name
from tests.conftest import delete_topics
from tests.integration.runtime.events import beat, block, changes, publish, publish_messages, run_in, writer
from tests.integration.runtime.ledger import (
    QUICK,
    LedgerConsumer,
    LedgerPartition,
    consuming,
    fetch,
    lines_of,
    read_ledger,
    settings_of,
)
from tests.polling import eventually_async

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runstream_schemas.events import Event


def ledger_of(events: Iterable[Event]) -> Counter[tuple[str, str, bytes, int, str]]:
    """Return the lines of events whose records are applied once."""
    return Counter({line: 1 for event in events for line in lines_of(event)})


async def expect_ledger(database: str, events: Iterable[Event]) -> None:
    """Wait until the ledger has each record of the events once."""
    expected = ledger_of(events)

    async def equal() -> bool:
        found = await read_ledger(database)
        assert expected == found
        return True

    await eventually_async(equal)


async def test_records_are_applied_once_however_they_were_batched(broker: str, prefix: str, database: str) -> None:
    """Repeated, overlapping and redivided blocks of several runs and topics leave each record once."""
    first, second = run_in(0), run_in(1)
    wanted: list[Event] = [
        block(first, writer(1), 0, 10),
        block(second, writer(2), 0, 7),
        changes(first, writer(1), 0, ["1", "2", "3"]),
    ]
    sent: list[Event] = [
        block(first, writer(1), 0, 4),
        block(first, writer(1), 0, 4),
        block(second, writer(2), 0, 7),
        block(first, writer(1), 6, 4),
        block(first, writer(1), 2, 6),
        block(first, writer(1), 0, 10),
        changes(first, writer(1), 0, ["1", "2"]),
        changes(first, writer(1), 1, ["2", "3"]),
    ]
    await publish(broker, prefix, sent)
    async with consuming(LedgerConsumer(), settings_of(broker, prefix, database)):
        await expect_ledger(database, wanted)
        await publish(broker, prefix, sent)
        await publish(broker, prefix, [block(first, writer(3), 0, 1)])
        await expect_ledger(database, [*wanted, block(first, writer(3), 0, 1)])


async def test_second_start_continues_where_the_first_ended(broker: str, prefix: str, database: str) -> None:
    """Events applied before a stop are not applied again; those that arrived meanwhile are."""
    settings = settings_of(broker, prefix, database)
    run = run_in(0)
    await publish(broker, prefix, [block(run, writer(1), 0, 5)])
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [block(run, writer(1), 0, 5)])
    await publish(broker, prefix, [block(run, writer(1), 5, 5)])
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [block(run, writer(1), 0, 10)])


async def test_undecodable_messages_are_quarantined_and_others_applied(broker: str, prefix: str, database: str) -> None:
    """Messages that are not events of their topic are stored with their position, and do not block others."""
    run = run_in(0)
    good = encode(block(run, writer(1), 0, 2))
    poison = [
        b"",
        b"garbage",
        frame(12345, b"no such schema"),
        good[:-3],
        good + b"x",
        encode(beat(run, writer(1))),
        encode(block(run_in(1), writer(1), 0, 1)),
        encode(block(run, writer(1), 2**62, 2)),
        None,
    ]
    messages: list[tuple[Topic, int, bytes | None]] = [(Topic.LOG, 0, good)]
    for index, message in enumerate(poison):
        messages.append((Topic.LOG, 0, message))
        messages.append((Topic.LOG, 0, encode(block(run, writer(1), 2 + index, 1))))
    await publish_messages(broker, prefix, messages)
    async with consuming(LedgerConsumer(), settings_of(broker, prefix, database)):
        await expect_ledger(database, [block(run, writer(1), 0, 2 + len(poison))])
    rows = await fetch(
        database,
        'select topic, partition, "offset", stage, raw, reason, append_time from runtime.quarantine order by 3',
    )
    assert [(topic_name(prefix, Topic.LOG), 0, 1 + 2 * index, "decode", raw) for index, raw in enumerate(poison)] == [
        (row["topic"], row["partition"], row["offset"], row["stage"], row["raw"]) for row in rows
    ]
    assert all(row["reason"] and row["append_time"] > 0 for row in rows)


async def test_events_a_consumer_cannot_apply_are_quarantined_alone_and_redriven(
    broker: str, prefix: str, database: str
) -> None:
    """Failing events are quarantined and others of the batch applied; redriven, they fill their holes once."""
    settings = settings_of(broker, prefix, database)
    run = run_in(0)
    events = [changes(run, writer(1), seq, ['"bad"' if seq in (3, 4, 9) else str(seq)]) for seq in range(12)]
    good = [event for event in events if '"bad"' not in event.records[0].entries[0].value]
    await publish(broker, prefix, events)
    async with consuming(LedgerConsumer(strict=True), settings):
        await expect_ledger(database, good)
        found = await progress_of(database)
        assert found == [("ledger", Topic.CONFIG, 12, [(3, 5), (9, 10)])]

        assert (await redrive_quarantine(LedgerConsumer(strict=True), settings)).failed == 3
        assert (await redrive_quarantine(LedgerConsumer(), settings)).applied == 3
        await expect_ledger(database, events)
        assert await progress_of(database) == [("ledger", Topic.CONFIG, 12, [])]
        assert (await redrive_quarantine(LedgerConsumer(), settings)).applied == 0

        await publish(broker, prefix, [*events, changes(run, writer(1), 12, ["12"])])
        await expect_ledger(database, [*events, changes(run, writer(1), 12, ["12"])])


async def progress_of(database: str) -> list[tuple[str, Topic, int, list[tuple[int, int]]]]:
    """Return the stored progress of the first run."""
    connection = await connect(database, application="test")
    try:
        return [(item.sink, item.topic, item.next, item.holes) for item in await progress(connection, run_in(0))]
    finally:
        await connection.close()


async def test_lost_connections_lose_and_repeat_nothing(broker: str, prefix: str, database: str) -> None:
    """While the database ends every connection again and again, each record is still applied once."""
    runs = [run_in(0), run_in(1), run_in(0, 1)]
    async with consuming(LedgerConsumer(), settings_of(broker, prefix, database)):
        for start in range(0, 300, 10):
            await publish(broker, prefix, [block(run, writer(number), start, 10) for number, run in enumerate(runs)])
            await end_connections(database)
        await expect_ledger(database, [block(run, writer(number), 0, 300) for number, run in enumerate(runs)])


async def end_connections(database: str) -> None:
    """Let the database end the consumer's connections."""
    await fetch(
        database,
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'runstream ledger' and datname = current_database()",
    )


async def test_messages_deleted_unread_are_recorded_as_lost(broker: str, prefix: str, database: str) -> None:
    """If the log begins after the stored offset, the loss is recorded and reading continues."""
    settings = settings_of(broker, prefix, database)
    run = run_in(0)
    await publish(broker, prefix, [block(run, writer(1), 0, 1), block(run, writer(1), 1, 1)])
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [block(run, writer(1), 0, 2)])
    await publish(broker, prefix, [block(run, writer(1), seq, 1) for seq in range(2, 10)])
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        place = TopicPartition(topic_name(prefix, Topic.LOG), 0)
        await admin.delete_records({place: RecordsToDelete(before_offset=7)})
    finally:
        await admin.close()
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [block(run, writer(1), 0, 2), block(run, writer(1), 7, 3)])
    losses = await fetch(database, "select topic, partition, first, stop from runtime.loss")
    assert [(topic_name(prefix, Topic.LOG), 0, 2, 7)] == [tuple(row) for row in losses]
    assert await progress_of(database) == [("ledger", Topic.LOG, 10, [(2, 7)])]


async def test_recreated_topic_stops_the_consumer(broker: str, prefix: str, database: str) -> None:
    """If the log ends before the stored offset, the error names it."""
    settings = settings_of(broker, prefix, database)
    await publish(broker, prefix, [block(run_in(0), writer(1), seq, 1) for seq in range(5)])
    async with consuming(LedgerConsumer(), settings):
        await expect_ledger(database, [block(run_in(0), writer(1), 0, 5)])
    await delete_topics(broker, prefix)
    await eventually_async(lambda: recreated(broker, prefix))
    with pytest.raises(TopicRecreated, match=f"{prefix}.log.* ends at 0"):
        await consume(LedgerConsumer(), settings, stop=asyncio.Event(), options=QUICK)


async def recreated(broker: str, prefix: str) -> bool:
    """Create the topics again once they are deleted."""
    await ensure_topics(broker, prefix, partitions=2)
    return True


async def test_another_number_of_partitions_is_refused(broker: str, prefix: str, database: str) -> None:
    """Settings that contradict the topics stop the consumer before it reads anything."""
    settings = settings_of(broker, prefix, database).model_copy(update={"partitions": 3})
    with pytest.raises(TopicMismatch, match="RUNSTREAM_PARTITIONS is 3"):
        await consume(LedgerConsumer(), settings, stop=asyncio.Event(), options=QUICK)


async def test_two_workers_share_and_hand_over(broker: str, prefix: str, database: str) -> None:
    """Workers that start and stop during the stream apply each record once in total."""
    settings = settings_of(broker, prefix, database)
    runs = [run_in(0), run_in(1)]

    async def send(start: int) -> None:
        for seq in range(start, start + 100, 5):
            await publish(broker, prefix, [block(run, writer(number), seq, 5) for number, run in enumerate(runs)])

    first, second = LedgerConsumer(), LedgerConsumer()
    async with consuming(second, settings):
        async with consuming(first, settings):
            await send(0)
            await eventually_async(lambda: both_have_one(first, second))
            await send(100)
        await send(200)
        await expect_ledger(database, [block(run, writer(number), 0, 300) for number, run in enumerate(runs)])


async def both_have_one(first: LedgerConsumer, second: LedgerConsumer) -> bool:
    """Return whether both workers have a partition."""
    return bool(first.partitions and second.partitions)


async def test_new_events_are_applied_at_once(broker: str, prefix: str, database: str) -> None:
    """An idle consumer applies new events without waiting for an interval."""
    consumer = LedgerConsumer(topics=[Topic.LOG, Topic.CONFIG, Topic.HEARTBEAT])
    async with consuming(consumer, settings_of(broker, prefix, database)):
        await publish(broker, prefix, [beat(run_in(0), writer(1)), beat(run_in(0), writer(1))])
        await eventually_async(lambda: have_applied(consumer, 2))


async def have_applied(consumer: LedgerConsumer, count: int) -> bool:
    """Return whether the given number of beats was applied."""
    batches = [batch for partition in consumer.partitions for batch in partition.batches]
    return count == sum(item.event.kind is Kind.BEAT for batch in batches for item in batch.events)


class PulseConsumer(LedgerConsumer):
    """Reads beats; the background work of each partition sends one on its second attempt."""

    def __init__(self) -> None:
        super().__init__(topics=[Topic.HEARTBEAT])

    def partition(self, number: int, context: Context) -> LedgerPartition:
        """Return the work on one partition."""
        return PulsePartition(number, context, strict=False)


class PulsePartition(LedgerPartition):
    """Its background work fails once, then sends a beat."""

    failed = False

    async def background(self) -> None:
        """Send a beat of a run of this partition."""
        if not self.failed:
            self.failed = True
            raise OSError("not yet")
        message = encode(beat(run_in(self.number), writer(self.number)))
        await self.context.producer.send(Topic.HEARTBEAT, self.number, message)


async def test_background_work_runs_for_each_partition_and_may_send(broker: str, prefix: str, database: str) -> None:
    """Background work is restarted if it fails, and can append to the topics."""
    async with consuming(PulseConsumer(), settings_of(broker, prefix, database)):
        await expect_ledger(database, [beat(run_in(number), writer(number)) for number in (0, 1)])


async def test_stalled_client_ends_the_process(broker: str, prefix: str, database: str) -> None:
    """If there are messages to read but none are read, the process ends."""
    consumer = LedgerConsumer(topics=[Topic.LOG])
    options = replace(QUICK, watchdog_interval=0.1, watchdog_timeout=0.5)
    await prepare_tables(consumer, database)
    kafka = make_consumer(broker, group=f"{prefix}.ledger", instance="", options=options)
    producer = KafkaProducer(broker, prefix, timeout=10)
    connection = partial(connected, database, application="test")
    context = Context(name="ledger", prefix=prefix, partitions=2, producer=producer, connection=connection)
    await kafka.start()
    try:
        working = asyncio.create_task(ConsumeLoop(consumer, context, dsn=database, kafka=kafka, options=options).run())
        await publish(broker, prefix, [block(run_in(0), writer(1), 0, 1)])
        await expect_ledger(database, [block(run_in(0), writer(1), 0, 1)])
        kafka.pause(*kafka.assignment())
        # Messages requested before the pause may still arrive; those after them do not.
        await publish(broker, prefix, [block(run_in(0), writer(1), seq, 1) for seq in range(1, 5)])
        await publish(broker, prefix, [block(run_in(0), writer(1), seq, 1) for seq in range(5, 9)])
        with pytest.raises(ConsumptionStalled, match=prefix):
            await asyncio.wait_for(working, 30)
    finally:
        await kafka.stop()


async def test_offsets_without_a_message_are_recorded_and_skipped(broker: str, prefix: str, database: str) -> None:
    """The marker of a transaction is recorded as missing, and reading continues after it."""
    run, name = run_in(0), topic_name(prefix, Topic.LOG)
    producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=prefix)
    await producer.start()
    try:
        async with producer.transaction():
            for seq in range(3):
                await producer.send(name, encode(block(run, writer(1), seq, 1)), partition=0)
    finally:
        await producer.stop()
    options = replace(QUICK, watchdog_interval=0.1, watchdog_timeout=0.5)
    async with consuming(LedgerConsumer(), settings_of(broker, prefix, database), options):
        await expect_ledger(database, [block(run, writer(1), 0, 3)])
        await publish(broker, prefix, [block(run, writer(1), 3, 2)])
        await expect_ledger(database, [block(run, writer(1), 0, 5)])
    losses = await fetch(database, "select topic, partition, first, stop, reason from runtime.loss")
    assert [tuple(row) for row in losses] == [(name, 0, 3, 4, "no message at these offsets")]


class RestlessConsumer(LedgerConsumer):
    """Records the partitions whose background work is running."""

    def __init__(self) -> None:
        super().__init__()
        self.running: set[LedgerPartition] = set()

    def partition(self, number: int, context: Context) -> LedgerPartition:
        """Return the work on one partition."""
        return RestlessPartition(number, context, self)


class RestlessPartition(LedgerPartition):
    """Is recorded as running until it is cancelled."""

    def __init__(self, number: int, context: Context, consumer: RestlessConsumer) -> None:
        super().__init__(number, context, strict=False)
        self.running = consumer.running

    async def background(self) -> None:
        """Run until cancelled."""
        self.running.add(self)
        try:
            await asyncio.Event().wait()
        finally:
            self.running.discard(self)


async def test_background_work_survives_a_lost_connection(broker: str, prefix: str, database: str) -> None:
    """After a database error, the background work of every partition runs again, even without new messages."""
    consumer = RestlessConsumer()

    async def have_restarted(before: set[LedgerPartition]) -> set[LedgerPartition]:
        now = set(consumer.running)
        assert sorted(partition.number for partition in now) == [0, 1]
        assert not now & before
        return now

    async with consuming(consumer, settings_of(broker, prefix, database), replace(QUICK, workers=1)):
        first = await eventually_async(lambda: have_restarted(set()))
        await end_connections(database)
        await publish(broker, prefix, [block(run_in(0), writer(1), 0, 1)])
        await eventually_async(lambda: have_restarted(first))
        await expect_ledger(database, [block(run_in(0), writer(1), 0, 1)])
    assert consumer.running == set()
