"""How long the runs of a partition wait for a run whose messages are costly or invalid."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
from aiokafka import AIOKafkaProducer

from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name
from tests.benchmarks.blocks import block, rows
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.rig import ENTITY, PARTITIONS, Rig, rig
from tests.conftest import run_aside
from tests.integration.runtime.processes import consumer_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.benchmarks.scale import Scale

CONSUMERS = ("history", "summary", "liveness")
NEIGHBORS = 8
BLOCKS = 20
WITHIN_S = 300
_RUNS = [RunPath(entity=ENTITY, project="neighbors", run_id=f"run{number}") for number in range(1_000)]
STRANGER = next(run for run in _RUNS if partition_of(run, PARTITIONS) != 0)
HOSTILE, *OTHERS = [run for run in _RUNS if partition_of(run, PARTITIONS) == 0][: NEIGHBORS + 1]
WRITER = bytes(16)

#: Of the log, two consumers store blocks of ten rows; of the config, two consumers store changes.
_STORED = """
    select count(*) from runtime.writer_progress
    where run = any($1::uuid[]) and holes = '{}' and next = case topic when 0 then 10 else 1 end * $2::bigint
"""
_READ = "select sum(next) - (select count(*) from runtime.deferred) from runtime.sink_offset"


def _rows(number: int, columns: Sequence[events.Column]) -> bytes:
    event = block(HOSTILE, WRITER, number, [{"x": 1.0}])
    return encode(replace(event, columns=columns))


def _changes(number: int, entries: Sequence[events.Entry], run: RunPath = HOSTILE) -> bytes:
    header = events.Header(
        kind=events.Kind.DATA,
        run=run,
        writer=events.Writer(id=WRITER, role=events.Role.PRIMARY),
        time=0,
        seq=number,
    )
    record = events.Record(order=number, time=0, entries=tuple(entries))
    return encode(events.ChangeEvent(header=header, topic=Topic.CONFIG, records=(record,)))


def _set(path: tuple[str, ...], value: str, scope: events.Scope = events.Scope.CONFIG) -> events.Entry:
    return events.Entry(op=events.Operation.SET, path=path, value=value, scope=scope)


def columns_of_nulls(number: int) -> bytes:
    """Return a row of 120 000 columns, 1.4 MB."""
    return _rows(number, [events.Column(path=(f"{key:x}",), type=events.ColumnType.NULL) for key in range(120_000)])


def nested_lists(number: int) -> bytes:
    """Return a row with a list of 630 000 lists, 1.9 MB."""
    text = f"[{'[],' * 630_000}0]"
    return _rows(number, [events.Column(path=("x",), type=events.ColumnType.JSON, texts=[text])])


def pairs(number: int) -> bytes:
    """Return a change of 20 000 pairs of a path and its parent, 1.7 MB."""
    keys = [f"{key:05d}{'x' * 28}" for key in range(20_000)]
    return _changes(number, [entry for key in keys for entry in (_set(("d", key, "y"), "1"), _set(("d", key), "{}"))])


def definitions(number: int) -> bytes:
    """Return a malformed definition of a metric."""
    return _changes(number, [_set(("m",), '{"name": 5, "summary": 7}', events.Scope.METRIC)])


def elsewhere(number: int) -> bytes:
    """Return a block of a run that belongs to another partition."""
    return encode(block(STRANGER, WRITER, number, rows(number, 10, 10)))


def garbage(number: int) -> bytes:
    """Return bytes that are no event."""
    return bytes(number % 250 for _ in range(2_000))


KINDS: dict[str, tuple[Topic, Callable[[int], bytes], int]] = {
    "20 rows of 120 000 nulls": (Topic.LOG, columns_of_nulls, 20),
    "20 lists of 630 000 lists": (Topic.LOG, nested_lists, 20),
    "a change of 20 000 pairs": (Topic.CONFIG, pairs, 1),
    "2 400 malformed definitions": (Topic.CONFIG, definitions, 2_400),
    "2 400 messages in the wrong partition": (Topic.LOG, elsewhere, 2_400),
    "2 400 messages of garbage": (Topic.LOG, garbage, 2_400),
}


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the seconds until eight neighbors are complete, and until everything is."""
    with rig(scale.folder) as servers:
        for kind, (topic, make, count) in KINDS.items():
            messages = [make(number) for number in range(count // scale.of(1, 10) or 1)]
            neighbors, everything = _wait(servers, topic, messages)
            note = f"everything after {everything:.1f} s; consumers {', '.join(CONSUMERS)}"
            yield Figure(f"neighbors of {kind}", neighbors, "s", bar=at_most(5), note=note)


def _wait(servers: Rig, topic: Topic, messages: Sequence[bytes]) -> tuple[float, float]:
    prefix = servers.new_topics()
    environment = servers.server(prefix)
    with ExitStack() as stack:
        for name in CONSUMERS:
            stack.enter_context(consumer_process(name, environment, servers.folder / f"{name}.log"))
        return run_aside(_publish(servers.broker, prefix, environment["RUNSTREAM_POSTGRES"], topic, messages))


async def _publish(broker: str, prefix: str, dsn: str, topic: Topic, messages: Sequence[bytes]) -> tuple[float, float]:
    """Return after how many seconds the neighbors, and all messages, are stored."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_request_size=3 << 20)
    await producer.start()

    async def send(items: Sequence[tuple[Topic, bytes]]) -> None:
        names = [(topic_name(prefix, kind), item) for kind, item in items]
        await asyncio.gather(*[await producer.send(name, item, partition=0) for name, item in names])

    try:
        await send(_neighbors(0, 1))
        await _until(dsn, _STORED, 4 * NEIGHBORS, list(map(run_key, OTHERS)), 1)
        await send([(topic, message) for message in messages])
        await send(_neighbors(1, BLOCKS))
        begin = time.monotonic()
        await _until(dsn, _STORED, 4 * NEIGHBORS, list(map(run_key, OTHERS)), BLOCKS)
        neighbors = time.monotonic() - begin
        # Each topic has two readers.
        await _until(dsn, _READ, 2 * (len(messages) + 2 * BLOCKS * NEIGHBORS))
        return neighbors, time.monotonic() - begin
    finally:
        await producer.stop()


def _neighbors(first: int, stop: int) -> list[tuple[Topic, bytes]]:
    numbers = [(run, number) for number in range(first, stop) for run in OTHERS]
    return [
        item
        for run, number in numbers
        for item in (
            (Topic.LOG, encode(block(run, WRITER, 10 * number, rows(10 * number, 10, 10)))),
            (Topic.CONFIG, _changes(number, [_set((f"key{number}",), "1")], run)),
        )
    ]


async def _until(dsn: str, query: str, wanted: int, *arguments: object) -> None:
    """Wait until a query returns a number."""
    connection = await asyncpg.connect(dsn)
    deadline = time.monotonic() + WITHIN_S
    try:
        while time.monotonic() < deadline:
            with suppress(asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                if await connection.fetchval(query, *arguments) == wanted:
                    return
            await asyncio.sleep(0.05)
    finally:
        await connection.close()
    raise RuntimeError(f"The messages were not stored within {WITHIN_S} s")
