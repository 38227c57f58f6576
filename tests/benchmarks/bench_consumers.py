"""History and summary consumers, each reading full topics and storing everything in Postgres."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import asyncpg
from aiokafka import AIOKafkaProducer

from runstream_schemas.codec import encode
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name
from tests.benchmarks.blocks import SHAPES, block, config, ended, row, rows
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.processes import cpu_seconds, peak_memory
from tests.benchmarks.rig import ENTITY, PARTITIONS, Rig, rig
from tests.conftest import run_aside
from tests.events import changed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.scale import Scale

RUNS = 64
#: The share of events stored before the measurement, which excludes connecting, assignment and warming up.
LEAD = 0.1
EVENTS = {"10 x 10": 40_000, "200 x 20": 4_000}
WIDE_KEYS = 10_000
WIDE_EVENTS = 4_000
NEW_RUNS = 10_000
#: Events per second at 10 x 10, points per second at 200 x 20.
BARS = {
    ("history", "10 x 10"): 8_000.0,
    ("summary", "10 x 10"): 4_000.0,
    ("history", "200 x 20"): 5.0e6,
    ("summary", "200 x 20"): 5.0e6,
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Seconds, CPU seconds, peak MiB and table size in bytes of a consumer that stored events after the lead."""

    events: int
    seconds: float
    cpu: float
    peak: float
    stored: int


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield events or points per second, by wall time and by the consumer's CPU time."""
    with rig(scale.folder) as servers:
        for shape, (block_rows, keys) in SHAPES.items():
            prefix = servers.new_topics()
            count = EVENTS[shape] // scale.of(1, 10)
            run_aside(fill(servers.broker, prefix, count, block_rows, keys))
            for name in ("history", "summary"):
                measurements = [consume(servers, prefix, name, count) for _ in range(scale.of(3, 1))]
                yield from _figures(name, shape, block_rows * keys, count, measurements)
        yield _wide(servers, WIDE_EVENTS // scale.of(1, 10))
        yield _new(servers, NEW_RUNS // scale.of(1, 10))


def _wide(servers: Rig, count: int) -> Figure:
    """Measure the summary of one run with many keys, of which each event has a tenth."""
    prefix = servers.new_topics()
    run_aside(fill_wide(servers.broker, prefix, count))
    result = consume(servers, prefix, "summary", count)
    note = f"one run of {WIDE_KEYS} keys, {WIDE_KEYS // 10} of them in each event; by the consumer's CPU time"
    return Figure("summary of many keys, per core", result.events / result.cpu, "events/s", note=note)


def _new(servers: Rig, count: int) -> Figure:
    """Measure how fast the summary of new runs is stored."""
    prefix = servers.new_topics()
    run_aside(fill_new(servers.broker, prefix, count))
    result = consume(servers, prefix, "summary", 2 * count, (Topic.CONFIG, Topic.LOG))
    clock = result.events / result.seconds / 2
    note = f"a config of 10 values, and a block of 10 rows of 5 metrics; {clock:.0f} by wall time"
    return Figure(
        "summary of new runs, per core", result.events / result.cpu / 2, "runs/s", bar=at_least(3000), note=note
    )


def _figures(name: str, shape: str, points: int, count: int, measurements: list[Measurement]) -> Iterator[Figure]:
    bar = BARS[name, shape]
    unit, size = ("events/s", 1) if shape == "10 x 10" else ("M points/s", points / 1e6)
    limit = at_least(bar if size == 1 else bar / 1e6)
    rate = median(result.events / result.seconds for result in measurements) * size
    core = median(result.events / result.cpu for result in measurements) * size
    peak = max(result.peak for result in measurements)
    note = f"by wall time, Postgres on the same machine; {peak:.0f} MiB"
    yield Figure(f"{name} {shape}", rate, unit, bar=limit, note=note)
    yield Figure(f"{name} {shape}, per core", core, unit, bar=limit, note="by the consumer's CPU time")
    if name == "history":
        stored = measurements[-1].stored / (count * points * 8)
        note = "bytes on disk for each byte of packed values, including indices"
        yield Figure(f"{name} {shape} on disk", stored, bar=at_most(2), note=note)


def consume(servers: Rig, prefix: str, name: str, count: int, topics: Sequence[Topic] = (Topic.LOG,)) -> Measurement:
    """Run a consumer with a new database until it has stored all events of some topics of a prefix."""
    environment = servers.server(prefix)
    process = subprocess.Popen(
        [sys.executable, "-m", "runstream_consumers.runtime", name],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        names = [topic_name(prefix, topic) for topic in topics]
        return run_aside(_watch(process, environment["RUNSTREAM_POSTGRES"], names, count))
    finally:
        process.terminate()
        process.wait(30)


async def _watch(process: subprocess.Popen[bytes], dsn: str, topics: list[str], count: int) -> Measurement:
    connection = await asyncpg.connect(dsn)
    deadline = time.monotonic() + 180
    first: tuple[int, float, float] | None = None
    try:
        while time.monotonic() < deadline and process.poll() is None:
            stored = await _stored(connection, topics)
            now, cpu = time.monotonic(), cpu_seconds(process.pid)
            if first is None and stored >= LEAD * count:
                first = stored, now, cpu
            if stored >= count and first is not None:
                return Measurement(
                    count - first[0], now - first[1], cpu - first[2], peak_memory(process.pid), await _size(connection)
                )
            await asyncio.sleep(0.02)
    finally:
        await connection.close()
    raise RuntimeError(f"The consumer (exit {process.poll()}) did not store {count} events")


async def _size(connection: Any) -> int:
    query = """
        select sum(pg_total_relation_size(c.oid)) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname in ('history', 'summary')
    """
    return int(await connection.fetchval(query))


async def _stored(connection: Any, topics: list[str]) -> int:
    try:
        found = await connection.fetchval("select sum(next) from runtime.sink_offset where topic = any($1)", topics)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return 0
    return int(found or 0)


async def fill(broker: str, prefix: str, events: int, block_rows: int, keys: int) -> None:
    """Append events of many runs in turn; the rows of each run are numbered as by its shipper."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20, linger_ms=5)
    await producer.start()
    try:
        content = rows(0, block_rows, keys)
        runs = [RunPath(entity=ENTITY, project="consumers", run_id=f"run{number}") for number in range(RUNS)]
        firsts = [block(run, number.to_bytes(16, "big"), 0, content) for number, run in enumerate(runs)]
        pending = []
        for number in range(events):
            event, turn = firsts[number % RUNS], number // RUNS
            shift = turn * block_rows
            later = changed(
                event,
                seq=shift,
                orders=event.orders + shift,
                steps=event.steps + shift,
                times=event.times + 1000 * shift,
            )
            place = partition_of(event.run, PARTITIONS)
            pending.append(await producer.send(topic_name(prefix, Topic.LOG), encode(later), partition=place))
        await asyncio.gather(*pending)
    finally:
        await producer.stop()


async def fill_wide(broker: str, prefix: str, events: int) -> None:
    """Append rows of one run; each has a different tenth of the keys."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20, linger_ms=5)
    await producer.start()
    try:
        run = RunPath(entity=ENTITY, project="consumers", run_id="wide")
        names = list(row(0, WIDE_KEYS).items())
        tenths = [dict(names[part::10]) for part in range(10)]
        place = partition_of(run, PARTITIONS)
        for number in range(events):
            event = block(run, bytes(16), number, [tenths[number % 10]])
            await producer.send(topic_name(prefix, Topic.LOG), encode(event), partition=place)
    finally:
        await producer.stop()


async def fill_new(broker: str, prefix: str, count: int) -> None:
    """Append the events of new runs: the config, a block and the exit of each."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20, linger_ms=5)
    await producer.start()
    try:
        content = rows(0, 10, 5)
        pending = []
        for number in range(count):
            run, writer = RunPath(entity=ENTITY, project="new", run_id=f"run{number}"), number.to_bytes(16, "big")
            values = {f"value{key}": str(number * key) for key in range(10)}
            for event in (config(run, writer, values), block(run, writer, 0, content), ended(run, writer)):
                name, place = topic_name(prefix, event.topic), partition_of(run, PARTITIONS)
                pending.append(await producer.send(name, encode(event), partition=place))
        await asyncio.gather(*pending)
    finally:
        await producer.stop()
