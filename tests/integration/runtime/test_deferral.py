"""Messages of a run that has used its share of the time wait, and are applied once, in order, when it is their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.progress.shares import ShareLimits
from runstream_schemas.topics import Topic
from tests.integration.runtime.events import block, publish, run_in, writer
from tests.integration.runtime.ledger import LedgerConsumer, consuming, fetch, read_ledger, settings_of
from tests.integration.runtime.test_sink import LOG, Bench, bench, once
from tests.polling import eventually_async

if TYPE_CHECKING:
    from runstream_consumers.runtime.consuming.sink import Sink

__all__ = ["bench"]

#: Any message uses up the share of its run.
ONE_EACH = ShareLimits(run=0.0)


async def waiting(bench: Bench) -> list[int]:
    """Return the offsets of the deferred messages, in the order in which they are applied."""
    return [row["offset"] for row in await fetch(bench.dsn, 'select "offset" from runtime.deferred order by id')]


async def drain(bench: Bench, sink: Sink) -> int:
    """Apply what is deferred, and return the number of turns."""
    connection, turns = await bench.connection(), 0
    while sink.deferred_bytes:
        await sink.apply_deferred(connection)
        turns += 1
    return turns


def applied(bench: Bench) -> list[int]:
    """Return the offsets of the applied events in the order in which they were applied."""
    return [
        item.offset for partition in bench.consumer.partitions for batch in partition.batches for item in batch.events
    ]


async def test_neighbors_are_complete_while_a_costly_run_waits(bench: Bench) -> None:
    """One batch applies a message of the costly run and all of its neighbors; each turn then applies one more."""
    for number in range(5):
        bench.append(block(run_in(0, 1 + number), writer(2 + number), 0, 1))
    sink = bench.sink(ONE_EACH)
    await sink.apply_batch(await bench.connection(), bench.batch(0, 15))
    assert applied(bench) == [0, 10, 11, 12, 13, 14]
    assert (await bench.next(), await waiting(bench)) == (15, list(range(1, 10)))

    assert await drain(bench, sink) == 9
    assert applied(bench)[6:] == list(range(1, 10))
    assert await waiting(bench) == []
    assert await bench.lines() == sorted(once(10) + [(writer(2 + number).id, 0, 1) for number in range(5)])


async def test_later_messages_of_a_deferred_run_wait_after_a_restart(bench: Bench) -> None:
    """While messages of a run wait, its later ones wait after them, also if another process reads those."""
    for seq in range(10, 15):
        bench.append(block(run_in(0), writer(1), seq, 1))
    await bench.sink(ONE_EACH).apply_batch(await bench.connection(), bench.batch(0, 10))
    sink = bench.sink()
    await sink.apply_batch(await bench.connection(), bench.batch(0, 15))
    assert await waiting(bench) == list(range(1, 15))

    assert await drain(bench, sink) == 1
    assert applied(bench) == list(range(15))
    assert await bench.lines() == once(15)


async def test_one_of_two_workers_applies_deferred_messages(bench: Bench) -> None:
    """A worker whose partition was taken over without its knowledge finds its memory stale, though no offset moved."""
    slow, quick = bench.sink(ONE_EACH), bench.sink(ONE_EACH)
    await slow.apply_batch(await bench.connection(), bench.batch(0, 5))
    await quick.apply_batch(await bench.connection(), {})
    await quick.apply_deferred(await bench.connection())
    await slow.apply_batch(await bench.connection(), bench.batch(5, 10))
    await drain(bench, slow)
    await quick.apply_deferred(await bench.connection())
    assert await bench.lines() == once(10)
    assert await waiting(bench) == []


async def test_a_deferred_message_that_cannot_be_decoded_is_quarantined(bench: Bench) -> None:
    """It is decoded when it is its turn, and its neighbors are applied."""
    batch = bench.batch(0, 10)
    damaged = batch[LOG][5]._replace(value=(batch[LOG][5].value or b"")[:-1])
    messages = [*batch[LOG][:5], damaged, *batch[LOG][6:]]
    sink = bench.sink(ONE_EACH)
    await sink.apply_batch(await bench.connection(), {LOG: messages})
    assert await fetch(bench.dsn, "select from runtime.quarantine") == []
    await drain(bench, sink)
    [row] = await fetch(bench.dsn, 'select topic, "offset", stage from runtime.quarantine')
    assert tuple(row) == (LOG, 5, "decode")
    assert await bench.lines() == [line for line in once(10) if line[1] != 5]


async def test_a_consumer_applies_its_neighbors_before_a_run_that_exceeds_its_share(
    broker: str, prefix: str, database: str
) -> None:
    """On real servers, all records are applied once, and the last of the costly run after those of the others."""
    costly = [block(run_in(0), writer(1), seq, 1) for seq in range(50)]
    others = [block(run_in(0, 1 + number), writer(2 + number), 0, 1) for number in range(10)]
    await publish(broker, prefix, [*costly, *others])
    consumer = LedgerConsumer(topics=[Topic.LOG])
    options = Options(run_seconds=0.0, deferred_share=0.01)
    async with consuming(consumer, settings_of(broker, prefix, database), options):

        async def is_complete() -> bool:
            return len(await read_ledger(database)) == 60

        await eventually_async(is_complete, within=120)
    assert set((await read_ledger(database)).values()) == {1}
    assert await fetch(database, "select from runtime.deferred") == []
    order = [item.offset for partition in consumer.partitions for batch in partition.batches for item in batch.events]
    assert sorted(order) == list(range(60))
    assert max(order.index(offset) for offset in range(50, 60)) < order.index(49)
    assert [offset for offset in order if offset < 50] == list(range(50))
