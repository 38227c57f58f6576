"""A run of 100 000 keys, of which each row has some: finding keys, and reading ten of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import asyncpg
import numpy as np

from runstream_consumers.history.consumer import HistoryPartition
from runstream_consumers.runtime.plugin import Batch, Received
from runstream_consumers.summary.consumer import SummaryPartition
from runstream_schemas import events
from runstream_schemas.codec import encode
from runstream_schemas.topics import RunPath, Topic
from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.rig import ENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

RUN = RunPath(entity=ENTITY, project="wide", run_id="wide")
_PATH = f"/api/v1/runs/{ENTITY}/wide/wide"
_KEYS_OF_A_ROW = 1000
_ROWS_OF_A_BLOCK = 10
_REPEATS = 5
_REQUESTS = 20
_NOON = 1_795_262_400_000_000


async def write(dsn: str, keys: int) -> None:
    """Store the rows with the code of the consumers."""
    connection = await asyncpg.connect(dsn)
    history, summary = HistoryPartition(), SummaryPartition()
    try:
        for number in range(_REPEATS * keys // _KEYS_OF_A_ROW):
            batch = Batch(partition=0, events=[_received(number, number % (keys // _KEYS_OF_A_ROW))])
            for name, partition in (("history", history), ("summary", summary)):
                async with connection.transaction():
                    await connection.execute(f"set local search_path = {name}")
                    await partition.apply(connection, batch)
    finally:
        await connection.close()


def requests(client: httpx.Client, pid: int, keys: int) -> Iterator[Figure]:
    """Yield the times of finding keys by a regular expression, and of reading and drawing ten of them."""
    rows = _REPEATS * keys // _KEYS_OF_A_ROW * _ROWS_OF_A_BLOCK
    note = f"{keys:,} keys, {rows:,} rows of {_KEYS_OF_A_ROW:,} of them, archived"
    found = client.get(f"{_PATH}/keys", params={"regex": "layer_[0-9]*3/.*unit_77$"}).raise_for_status().json()["keys"]
    assert len(found) == keys // _KEYS_OF_A_ROW // 10
    wanted = found[:10]
    reads: dict[str, Callable[[], Any]] = {
        "keys found by a regular expression": lambda: client.get(
            f"{_PATH}/keys", params={"regex": f"layer_[0-9]*3/.*unit_{time.monotonic_ns() % 900}$"}
        ),
        "charts of ten keys": lambda: client.get(f"{_PATH}/series", params={"keys": wanted}),
        "rows of ten keys, first page": lambda: client.get(f"{_PATH}/scan", params={"keys": wanted}),
    }
    for name, read in reads.items():
        times = []
        begin = processes.cpu_seconds(pid)
        for _ in range(_REQUESTS):
            start = time.monotonic()
            read().raise_for_status()
            times.append(time.monotonic() - start)
        cpu = 1000 * (processes.cpu_seconds(pid) - begin) / _REQUESTS
        detail = (
            f"{note}; p50 {1000 * np.median(times):.0f} ms, first {1000 * times[0]:.0f} ms; {cpu:.0f} ms of CPU time"
        )
        yield Figure(f"{name}, p95", 1000 * float(np.percentile(times[1:], 95)), "ms", at_most(100), detail)


def _received(number: int, group: int) -> Received:
    writer = events.Writer(id=b"w" * 16, role=events.Role.PRIMARY)
    first = number * _ROWS_OF_A_BLOCK
    header = events.Header(
        kind=events.Kind.DATA, run=RUN, writer=writer, time=_NOON + first, seq=first, count=_ROWS_OF_A_BLOCK
    )
    steps = np.arange(first, first + _ROWS_OF_A_BLOCK)
    values = np.random.default_rng(number).normal(size=(_KEYS_OF_A_ROW, _ROWS_OF_A_BLOCK))
    columns = [
        events.Column(path=(f"layer_{group}/mlp/unit_{key}",), type=events.ColumnType.FLOAT64, values=values[key])
        for key in range(_KEYS_OF_A_ROW)
    ]
    event = events.LogEvent(
        header=header, stream=events.Stream.HISTORY, orders=steps, steps=steps, times=_NOON + steps, columns=columns
    )
    return Received(
        topic=Topic.LOG, partition=0, offset=number, append_time=_NOON + number, message=encode(event), event=event
    )
