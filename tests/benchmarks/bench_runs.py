"""Lists of a project of 100,000 runs: filters on config and summary, orders, pages and counts over HTTP."""

from __future__ import annotations

import asyncio
import json
import random
import time
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import numpy as np

from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.summary.consumer import SummaryConsumer, SummaryPartition
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_schemas import values
from runstream_schemas.events import (
    ChangeEvent,
    Entry,
    Event,
    Header,
    Kind,
    LogEvent,
    Operation,
    Record,
    Role,
    Scope,
    Stream,
    Writer,
)
from runstream_schemas.rows import pack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.rig import ENTITY, rig
from tests.run_aside import run_aside
from tests.shared_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

PROJECT = "many"
_BATCH = 1000
_ROUNDS = 15
_STATES = ("finished", "failed", "crashed", "running")
_FILTER = {"config.lr": {"$gt": 0.5}, "summary_metrics.loss": {"$lt": 0.3}}
_LIVENESS = ("partition", "run", "entity", "project", "run_id", "state", "qualifiers", "open")


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the times of first pages and counts, and how fast the consumer stores new runs."""
    runs = scale.of(100_000, 2000)
    with rig(scale.folder) as servers:
        prefix = servers.new_topics()
        environment = servers.server(prefix)
        seconds = run_aside(_fill(environment["RUNSTREAM_POSTGRES"], runs))
        note = f"{runs:,} runs, 20 keys of config and 12 of summary each, without Kafka"
        yield Figure("new runs stored by summary", runs / seconds, "runs/s", note=note)
        api = ApiProcess(choose_port(), environment)
        with serving(api, scale.folder, servers.reaper):
            yield from _requests(api.url, servers.token, runs)


def _requests(url: str, token: str, runs: int) -> Iterator[Figure]:
    note = f"median of {_ROUNDS}, project of {runs:,} runs"
    filters = json.dumps(_FILTER)
    lists: list[tuple[str, dict[str, Any], float | None]] = [
        ("newest runs, first page", {}, None),
        (
            "filter on config and summary, sorted, first page",
            {"filters": filters, "order": "+summary_metrics.loss"},
            0.1,
        ),
        ("filter on config and summary, newest first", {"filters": filters}, 0.1),
        ("filter that no run fulfills", {"filters": json.dumps({"summary.loss": {"$gt": 2}})}, 0.1),
        (
            "filter on state and config, sorted",
            {"filters": json.dumps({"state": "failed", **_FILTER}), "order": "name"},
            None,
        ),
        ("part of a name", {"name": "run-4242"}, None),
    ]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        for name, asked, limit in lists:
            bar = None if limit is None else at_most(limit)
            yield Figure(name, _seconds(client, "/api/v1/runs", {"limit": 50, **asked}), "s", bar, note)
        counted = {"filters": filters}
        yield Figure("count, filtered", _seconds(client, "/api/v1/runs/count", counted), "s", at_most(0.2), note)
        yield Figure("count of all", _seconds(client, "/api/v1/runs/count", {}), "s", at_most(0.2), note)


def _seconds(client: httpx.Client, path: str, asked: dict[str, Any]) -> float:
    times = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        client.get(path, params={"entity": ENTITY, "project": PROJECT, **asked}).raise_for_status()
        times.append(time.perf_counter() - begin)
    assert quantiles(times)
    return median(times)


async def _fill(dsn: str, runs: int) -> float:
    """Store runs with the code of the consumers; return how long the summary consumer took."""
    for consumer in (SummaryConsumer(), LivenessConsumer(), HistoryConsumer()):
        await prepare_tables(consumer, dsn)
    draw = random.Random(3)
    connection = await asyncpg.connect(dsn)
    seconds = 0.0
    try:
        await connection.execute("set search_path = summary")
        for first in range(0, runs, _BATCH):
            numbers = range(first, min(first + _BATCH, runs))
            events = [event for number in numbers for event in _events(number, draw)]
            batch = Batch(partition=0, events=[_received(event, first + place) for place, event in enumerate(events)])
            begin = time.perf_counter()
            async with connection.transaction():
                await SummaryPartition().apply(connection, batch)
            seconds += time.perf_counter() - begin
        rows: list[tuple[Any, ...]] = [
            (0, run_key(_run(number)), ENTITY, PROJECT, f"r{number}", draw.choice(_STATES), [], False)
            for number in range(runs)
        ]
        await connection.copy_records_to_table("run", schema_name="liveness", records=rows, columns=_LIVENESS)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
    await asyncio.sleep(0)
    return seconds


def _run(number: int) -> RunPath:
    return RunPath(entity=ENTITY, project=PROJECT, run_id=f"r{number}")


def _received(event: Event, offset: int) -> Received:
    return Received(
        topic=event.topic,
        partition=0,
        offset=offset,
        append_time=1_700_000_000_000_000 + offset,
        message=b"",
        event=event,
    )


def _events(number: int, draw: random.Random) -> Iterator[Event]:
    """Yield the config of a run, and one row of metrics."""
    writer = Writer(id=number.to_bytes(16, "big"), role=Role.PRIMARY)
    header = Header(kind=Kind.DATA, run=_run(number), writer=writer, time=1_700_000_000_000_000 + number)
    config: dict[str, Any] = {"lr": draw.random(), "opt": {"name": draw.choice(("adam", "sgd")), "eps": 1e-8}}
    config |= {f"option_{place}": draw.choice((draw.random(), "text", 7)) for place in range(17)}
    described = {"name": f"run-{number}", "tags": ["a", f"t{number % 9}"], "group": f"g{number % 50}"}
    entries = [_entry(Scope.CONFIG, name, value) for name, value in config.items()]
    entries += [_entry(Scope.ATTRIBUTE, name, value) for name, value in described.items()]
    yield ChangeEvent(
        header=header, topic=Topic.CONFIG, records=(Record(order=0, time=header.time, entries=tuple(entries)),)
    )
    one = np.ones(1, dtype=np.int64)
    row = {"loss": draw.random(), **{f"metric_{place}": draw.random() for place in range(11)}}
    yield LogEvent(
        header=header, stream=Stream.HISTORY, orders=one, steps=one, times=one * header.time, columns=pack_rows([row])
    )


def _entry(scope: Scope, name: str, value: Any) -> Entry:
    return Entry(op=Operation.SET, path=(name,), value=values.dump(value), scope=scope)
