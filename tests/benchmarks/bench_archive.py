"""The archive: size at rest, throughput of the compactor, and reading a run of ten million rows over the HTTP API."""

from __future__ import annotations

import random
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runstream.public_api.api import Api
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.object_store import ObjectStore, ensure_bucket
from runstream_deploy.services.service import wait_until_ready
from runstream_schemas.topics import RunPath
from tests.benchmarks import archive_reads, processes
from tests.benchmarks.archived_run import METRICS, SPIKE, LongRun, metrics, times
from tests.benchmarks.bench_read import publish, start_of
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.rig import ENTITY, rig
from tests.polling import eventually
from tests.run_aside import run_aside
from tests.shared_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.benchmarks.scale import Scale

_RUN = RunPath(entity=ENTITY, project="archive", run_id="long")
_PATH = f"/api/v1/runs/{ENTITY}/archive/long"
_CHUNK = 250_000
_REQUESTS = 40
#: Rows whose size is compared with that of other formats.
_COMPARED = 500_000


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the figures."""
    rows = scale.of(10_000_000, 500_000)
    with rig(scale.folder) as servers, object_store(scale.folder, servers.reaper) as store:
        environment = servers.server(servers.new_topics()) | store
        long = LongRun(environment["RUNSTREAM_POSTGRES"], _RUN, rows)
        run_aside(long.prepare())
        with known_runs(servers.broker, environment, [_RUN]):
            yield from _fill(long, rows, environment)
            yield from _sizes(environment["RUNSTREAM_POSTGRES"], rows, scale.folder)
            api = ApiProcess(choose_port(), environment)
            child = Child(api.command(), scale.folder / "api.log", servers.reaper)
            try:
                run_aside(wait_until_ready(api, child.exit_code, scale.folder / "api.log"))
                yield from _reads(api.url, servers.token, rows, child.pid)
                run = Api({"base_url": api.url}, api_key=servers.token).run(str(_RUN))
                files = archive_reads.Files.of(run, _RUN, store, scale.folder)
                yield from archive_reads.measure(run, rows, files, child.pid)
                yield from _live(api.url, servers.token, long, environment, child.pid)
                yield Figure("API, memory", processes.peak_memory(child.pid), "MiB")
            finally:
                child.stop()


@contextmanager
def object_store(folder: Path, reaper: Any) -> Iterator[dict[str, str]]:
    """Run an object store; provide its settings."""
    key = secrets.token_urlsafe(16)
    store = ObjectStore(folder / "objects", port=choose_port(), access_key="bench", secret_key=key)
    with serving(store, folder, reaper):
        run_aside(ensure_bucket(store.client(), "runstream"))
        yield {
            "RUNSTREAM_S3_ENDPOINT": store.endpoint,
            "RUNSTREAM_S3_ACCESS_KEY": "bench",
            "RUNSTREAM_S3_SECRET_KEY": key,
        }


@contextmanager
def known_runs(broker: str, environment: dict[str, str], runs: Sequence[RunPath]) -> Iterator[None]:
    """Make runs known to the summary and liveness consumers, which then end."""
    events = [start_of(run, secrets.token_bytes(16)) for run in runs]
    run_aside(publish(broker, environment["RUNSTREAM_PREFIX"], events))
    started = [_python("runtime", environment, name) for name in ("history", "summary", "liveness")]
    try:
        eventually(lambda: run_aside(_documents(environment["RUNSTREAM_POSTGRES"])) == len(runs), within=120)
    finally:
        for process in started:
            process.terminate()
            process.wait(30)
    yield


async def _documents(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        counts = [await connection.fetchval(f"select count(*) from {name}.run") for name in ("summary", "liveness")]
        return int(min(counts))
    except asyncpg.PostgresError:
        return 0
    finally:
        await connection.close()


def _python(module: str, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"runstream_consumers.{module}", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def _fill(long: LongRun, rows: int, environment: dict[str, str]) -> Iterator[Figure]:
    """Write the rows while a compactor runs; then let it join the parts, as after the end of the run."""
    compactor = _python("compactor", environment | {"RUNSTREAM_COMPACT_INTERVAL_S": "0.1"})
    begin = time.monotonic()
    for _ in range(0, rows, _CHUNK):
        run_aside(long.write(_CHUNK))
        eventually(lambda: _hot(long.dsn) < 2 * _CHUNK, within=600)
    eventually(lambda: _hot(long.dsn) < 65_536, within=600)
    cpu = processes.cpu_seconds(compactor.pid)
    points = (rows - _hot(long.dsn)) * METRICS
    note = f"{rows:,} rows of {METRICS} metrics, joining parts included; {time.monotonic() - begin:.0f} s by the clock"
    yield Figure("compactor", points / cpu / 1e6, "M points/s a core", at_least(2), note)
    yield Figure("compactor, memory", processes.peak_memory(compactor.pid), "MiB", at_most(500))
    compactor.terminate()
    compactor.wait(30)
    compact_all(environment)


def compact_all(environment: dict[str, str]) -> float:
    """Archive all rows, as after the end of the runs; return the peak memory of the compactor in MiB."""
    final = _python("compactor", environment | {"RUNSTREAM_COMPACT_IDLE_S": "0", "RUNSTREAM_COMPACT_INTERVAL_S": "0.1"})
    eventually(lambda: _hot(environment["RUNSTREAM_POSTGRES"]) == 0, within=600)
    memory = processes.peak_memory(final.pid)
    final.terminate()
    final.wait(600)
    return memory


def _hot(dsn: str) -> int:
    return int(_value(dsn, "select coalesce(sum(rows), 0) from history.block"))


def _value(dsn: str, query: str) -> Any:
    async def read() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return run_aside(read())


def _sizes(dsn: str, rows: int, folder: Path) -> Iterator[Figure]:
    """Yield the size of the archive, compared with other formats of the same values."""
    points = rows * METRICS
    ours = int(_value(dsn, "select sum(bytes) from history.archive_part")) / points
    parts = int(_value(dsn, "select count(*) from history.archive_part"))
    index = int(_value(dsn, "select sum(index_object_size) from history.archive_part")) / points
    steps = np.arange(min(_COMPARED, rows))
    values = metrics(steps, rows)
    plain = folder / "plain.parquet"
    table = pa.table({"_step": steps, "_time": times(steps), **values})
    pq.write_table(table, plain, compression="zstd", row_group_size=32_768)
    theirs = plain.stat().st_size / len(steps) / METRICS
    few = {name: column[:20_000] for name, column in values.items()}
    sqlite = _sqlite_bytes(folder / "mlflow.db", few, times(steps)) / 20_000 / METRICS
    note = f"{parts} parts; {index:.2g} bytes of them for index and pyramid"
    yield Figure("archive at rest, bytes a value", ours, "bytes", note=note)
    yield Figure(
        "... of pyarrow's own Parquet with zstd", ours / theirs, "x", at_most(1.2), f"{theirs:.2f} bytes a value"
    )
    yield Figure(
        "... of MLflow's table of metrics in SQLite", ours / sqlite, "x", at_most(1 / 3), f"{sqlite:.0f} bytes"
    )


def _sqlite_bytes(file: Path, values: dict[str, Any], at: Any) -> int:
    """Return the size of a database with the table in which MLflow stores metrics."""
    with sqlite3.connect(file) as database:
        database.execute(
            """create table metrics (key varchar(250) not null, value float not null, timestamp bigint not null,
            run_uuid varchar(32) not null, step bigint default 0 not null, is_nan boolean default 0 not null,
            primary key (key, timestamp, step, run_uuid, value, is_nan))"""
        )
        run = secrets.token_hex(16)
        for key, column in values.items():
            rows = zip(column.tolist(), at.tolist(), range(len(column)), strict=False)
            database.executemany(
                "insert into metrics values (?, ?, ?, ?, ?, 0)",
                ((key, value, moment // 1000, run, step) for value, moment, step in rows),
            )
        database.execute("create index index_metrics_run_uuid on metrics (run_uuid)")
    database.close()
    return file.stat().st_size


def _reads(url: str, token: str, rows: int, pid: int) -> Iterator[Figure]:
    """Yield the times of charts and pages."""
    with _client(url, token) as client:
        first = _timed(client, "series", {"keys": SPIKE, "samples": 1500})
        yield Figure("first chart of a process over all rows", 1000 * first, "ms", note="reads the indexes")
        yield from _charts(client, rows, "", pid)
        places = [random.randrange(rows - 2000) for _ in range(_REQUESTS)]
        begin = processes.cpu_seconds(pid)
        pages = [_timed(client, "scan", {"min_step": place, "page_size": 1000}) for place in places]
        cpu = (processes.cpu_seconds(pid) - begin) / len(pages)
        yield from _percentiles("page of 1 000 exact rows anywhere", pages, 30)
        yield Figure("... CPU time of the API", 1000 * cpu, "ms")
        narrow = [_timed(client, "scan", {"min_step": one, "page_size": 1000, "keys": SPIKE}) for one in places]
        yield from _percentiles("... of one key", narrow, 30)
        yield Figure("scan of one key as JSON", _scan(client), "rows/s", note="pages of 10,000 rows")


def _charts(client: httpx.Client, rows: int, note: str, pid: int) -> Iterator[Figure]:
    """Yield the times of charts of one metric over all rows and over any range; each shows the spike if it has it."""
    keys = [f"train/metric_{number % METRICS}" for number in range(_REQUESTS)]
    begin = processes.cpu_seconds(pid)
    whole = [_timed(client, "series", {"keys": key, "samples": 1500}) for key in keys]
    cpu = (processes.cpu_seconds(pid) - begin) / len(whole)
    yield from _percentiles(f"chart of one metric over all rows{note}", whole, 50)
    yield Figure(f"... CPU time of the API{note}", 1000 * cpu, "ms")
    zooms, missed = [], 0
    begin = processes.cpu_seconds(pid)
    for number in range(_REQUESTS):
        width = int(rows * 0.5 ** (1 + number % 14))
        left = max(0, rows // 3 - random.randrange(width))
        query: dict[str, Any] = {"keys": SPIKE, "samples": 1500, "min_step": left, "max_step": left + width}
        start = time.monotonic()
        answer = client.get(f"{_PATH}/series", params=query).raise_for_status()
        zooms.append(time.monotonic() - start)
        [series] = answer.json()["series"]
        missed += left <= rows // 3 < left + width and 100.0 not in series["values"]
    yield from _percentiles(f"chart of one metric over any range{note}", zooms, 50)
    yield Figure(f"... CPU time of the API{note}", 1000 * (processes.cpu_seconds(pid) - begin) / len(zooms), "ms")
    yield Figure(f"charts without the spike in their range{note}", missed, "", at_most(0), f"of {_REQUESTS}")


def _client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=180)


def _timed(client: httpx.Client, path: str, query: dict[str, Any]) -> float:
    begin = time.monotonic()
    client.get(f"{_PATH}/{path}", params=query).raise_for_status()
    return time.monotonic() - begin


def _percentiles(name: str, samples: list[float], bar_ms: float) -> Iterator[Figure]:
    ordered = sorted(samples)
    yield Figure(f"{name}, p95", 1000 * ordered[int(0.95 * (len(ordered) - 1))], "ms", at_most(bar_ms))
    yield Figure(f"{name}, p50", 1000 * ordered[len(ordered) // 2], "ms")


def _scan(client: httpx.Client) -> float:
    begin, count, cursor = time.monotonic(), 0, None
    for _ in range(20):
        query: dict[str, Any] = {"keys": SPIKE, "page_size": 10_000} | ({"cursor": cursor} if cursor else {})
        answer = client.get(f"{_PATH}/scan", params=query).json()
        count, cursor = count + len(answer["rows"]), answer["next"]
        if cursor is None:
            break
    return count / (time.monotonic() - begin)


def _live(url: str, token: str, long: LongRun, environment: dict[str, str], pid: int) -> Iterator[Figure]:
    """Yield the times of charts while 1 000 rows a second are added and archived."""
    compactor = _python("compactor", environment)
    stopping = threading.Event()

    def write() -> None:
        while not stopping.wait(0.5):
            run_aside(long.write(500))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with _client(url, token) as client:
            yield from _charts(client, long.rows, " with a live writer", pid)
    finally:
        stopping.set()
        writer.join()
        compactor.terminate()
        compactor.wait(30)
