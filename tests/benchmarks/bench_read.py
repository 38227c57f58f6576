"""Reading over the HTTP API: charts, exact pages, scans and the run list, from tables that the consumers filled."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer

from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_schemas import values
from runstream_schemas.codec import encode
from runstream_schemas.events import ChangeEvent, Entry, Event, Header, Kind, Operation, Record, Role, Scope, Writer
from runstream_schemas.topics import RunPath, Topic, partition_of, topic_name
from tests.benchmarks.blocks import NOON, block, rows
from tests.benchmarks.figures import Figure
from tests.benchmarks.rig import ENTITY, PARTITIONS, Rig, rig
from tests.events import changed
from tests.run_aside import run_aside
from tests.shared_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.benchmarks.scale import Scale

LONG_KEYS = 10
LONG_BLOCK = 500
WIDE_BLOCK = 10
PROJECT = "read"
LONG = f"/api/v1/runs/{ENTITY}/{PROJECT}/long"
WIDE = f"/api/v1/runs/{ENTITY}/{PROJECT}/wide"
_ROUNDS = 5
_STORED = "select coalesce(sum(next), 0)::bigint from runtime.sink_offset"


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the times of requests, and of the slowest health check while a chart of the long run is read."""
    sizes = {"rows": scale.of(1_000_000, 50_000), "keys": scale.of(5000, 500), "runs": scale.of(10_000, 300)}
    with rig(scale.folder) as servers, filled(servers, sizes) as environment:
        api = ApiProcess(choose_port(), environment)
        with serving(api, scale.folder, servers.reaper):
            yield from read_figures(api.url, servers.token, sizes)


def read_figures(url: str, token: str, sizes: dict[str, int]) -> Iterator[Figure]:
    """Yield the figures of the API at a URL, over tables of these sizes."""
    half = sizes["rows"] // 2
    note = f"{sizes['rows']:,} rows of {LONG_KEYS} keys"
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=180) as client:
        chart: dict[str, str | int] = {"keys": "train/metric_3", "samples": 600}
        yield Figure("chart of one key", _seconds(client, f"{LONG}/series", chart), "s", note=note)
        yield Figure("health check during a chart, slowest", _slowest_health(client, url, token), "s", note=note)
        page: dict[str, str | int] = {"min_step": half, "page_size": 1000}
        yield Figure("exact page in the middle", _seconds(client, f"{LONG}/scan", page), "s", note=note)
        yield Figure("scan", _rows_per_second(client, half), "rows/s", note="pages of 10,000 rows, from the middle")
        wide = f"{WIDE_BLOCK * 100} rows of {sizes['keys']:,} keys"
        yield Figure("chart of one key, wide run", _seconds(client, f"{WIDE}/series", chart), "s", note=wide)
        listed: dict[str, str | int] = {"project": PROJECT, "limit": 50}
        runs = f"50 of {sizes['runs']:,} runs"
        yield Figure("run list", _seconds(client, "/api/v1/runs", listed), "s", note=runs)


@contextmanager
def filled(servers: Rig, sizes: dict[str, int]) -> Iterator[dict[str, str]]:
    """Provide the environment of servers whose tables the consumers have filled."""
    prefix = servers.new_topics()
    environment = servers.server(prefix)
    events = run_aside(publish(servers.broker, prefix, _events(sizes)))
    with ExitStack() as stack:
        for name in ("history", "summary", "liveness"):
            process = subprocess.Popen(
                [sys.executable, "-m", "runstream_consumers.runtime", name],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        run_aside(_wait_until_stored(environment["RUNSTREAM_POSTGRES"], events))
    yield environment


def _events(sizes: dict[str, int]) -> Iterator[Event]:
    for name, count, width, total in (
        ("long", LONG_BLOCK, LONG_KEYS, sizes["rows"]),
        ("wide", WIDE_BLOCK, sizes["keys"], 100 * WIDE_BLOCK),
    ):
        run, writer = RunPath(entity=ENTITY, project=PROJECT, run_id=name), uuid.uuid4().bytes
        yield start_of(run, writer)
        first = block(run, writer, 0, rows(0, count, width))
        for shift in range(0, total, count):
            yield changed(
                first,
                seq=shift,
                orders=first.orders + shift,
                steps=first.steps + shift,
                times=first.times + 1000 * shift,
            )
    for number in range(sizes["runs"]):
        yield start_of(RunPath(entity=ENTITY, project=PROJECT, run_id=f"run-{number}"), uuid.uuid4().bytes)


def start_of(run: RunPath, writer: bytes) -> Event:
    """Return the first event of a writer."""
    entries = tuple(
        Entry(op=Operation.SET, path=(f"parameter_{number}",), value=values.dump(number), scope=Scope.CONFIG)
        for number in range(10)
    )
    return ChangeEvent(
        header=Header(kind=Kind.DATA, run=run, writer=Writer(id=writer, role=Role.PRIMARY), time=NOON, seq=0, count=1),
        topic=Topic.CONFIG,
        records=(Record(order=0, time=NOON, entries=entries),),
    )


async def publish(broker: str, prefix: str, events: Iterable[Event]) -> dict[Topic, int]:
    """Append events; return their number by topic."""
    counts = dict.fromkeys((Topic.LOG, Topic.CONFIG), 0)
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 20, linger_ms=5)
    await producer.start()
    try:
        for event in events:
            partition = partition_of(event.run, PARTITIONS)
            await producer.send(topic_name(prefix, event.topic), encode(event), partition=partition)
            counts[event.topic] += 1
        await producer.flush()
    finally:
        await producer.stop()
    return counts


async def _wait_until_stored(dsn: str, counts: dict[Topic, int]) -> None:
    """Wait until history (log), summary (log, config) and liveness (config) have stored all events."""
    expected = 2 * counts[Topic.LOG] + 2 * counts[Topic.CONFIG]
    connection = await asyncpg.connect(dsn)
    deadline = time.monotonic() + 600
    try:
        while time.monotonic() < deadline:
            try:
                # Liveness also reads ticks that it publishes itself.
                if await connection.fetchval(f"{_STORED} where topic not like '%heartbeat'") >= expected:
                    return
            except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
                pass
            await asyncio.sleep(0.2)
    finally:
        await connection.close()
    raise RuntimeError(f"The consumers did not store {expected} events in time")


def _seconds(client: httpx.Client, path: str, parameters: Mapping[str, str | int]) -> float:
    """Return the median time of a request."""
    samples = []
    for _ in range(_ROUNDS):
        begin = time.monotonic()
        client.get(path, params=parameters).raise_for_status()
        samples.append(time.monotonic() - begin)
    return median(samples)


def _rows_per_second(client: httpx.Client, first: int) -> float:
    begin, count, cursor = time.monotonic(), 0, None
    for _ in range(_ROUNDS):
        query: dict[str, str | int] = {"min_step": first, "page_size": 10_000}
        answer = client.get(f"{LONG}/scan", params=query | ({"cursor": cursor} if cursor else {})).json()
        count, cursor = count + len(answer["rows"]), answer["next"]
        if cursor is None:
            break
    return count / (time.monotonic() - begin)


def _slowest_health(client: httpx.Client, url: str, token: str) -> float:
    def read() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        httpx.get(f"{url}{LONG}/series", params={"samples": 600}, headers=headers, timeout=180)

    reader = threading.Thread(target=read)
    reader.start()
    slowest = 0.0
    while reader.is_alive():
        begin = time.monotonic()
        client.get("/healthz").raise_for_status()
        slowest = max(slowest, time.monotonic() - begin)
    reader.join()
    return slowest
