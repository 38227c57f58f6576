"""Charts of many runs with one request, and reading a run of 100 000 keys, over the HTTP API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.liveness.consumer import LivenessConsumer
from runstream_consumers.runtime.process import prepare_tables
from runstream_consumers.summary.consumer import SummaryConsumer
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.service import wait_until_ready
from runstream_schemas.topics import RunPath
from tests.benchmarks import processes, wide_run
from tests.benchmarks.archived_run import SPIKE, LongRun
from tests.benchmarks.bench_archive import compact_all, object_store
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.rig import ENTITY, rig
from tests.run_aside import run_aside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

_PATH = f"/api/v1/projects/{ENTITY}/curves/series"
_RUNS = 100
_REQUESTS = 15


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the time of a request while the rows are in Postgres, and when they are archived."""
    rows = scale.of(10_000, 1000)
    with rig(scale.folder) as servers, object_store(scale.folder, servers.reaper) as store:
        environment = servers.server(servers.new_topics()) | store
        for consumer in (SummaryConsumer(), LivenessConsumer(), HistoryConsumer()):
            run_aside(prepare_tables(consumer, environment["RUNSTREAM_POSTGRES"]))
        for number in range(_RUNS):
            one = LongRun(
                environment["RUNSTREAM_POSTGRES"],
                RunPath(entity=ENTITY, project="curves", run_id=f"run-{number}"),
                rows,
            )
            run_aside(one.write(rows))
        keys = scale.of(100_000, 20_000)
        run_aside(wide_run.write(environment["RUNSTREAM_POSTGRES"], keys))
        api = ApiProcess(choose_port(), environment)
        child = Child(api.command(), scale.folder / "api.log", servers.reaper)
        try:
            run_aside(wait_until_ready(api, child.exit_code, scale.folder / "api.log"))
            with httpx.Client(
                base_url=api.url, headers={"Authorization": f"Bearer {servers.token}"}, timeout=180
            ) as client:
                note = f"{_RUNS} runs of {rows:,} rows of 20 metrics"
                yield from _requests(client, child.pid, f"{note}, not archived", None)
                memory = compact_all(environment)
                yield Figure(f"compactor, memory, with a run of {keys:,} keys", memory, "MiB", at_most(500))
                yield from _requests(client, child.pid, f"{note}, archived", 300)
                yield from wide_run.requests(client, child.pid, keys)
        finally:
            child.stop()


def _requests(client: httpx.Client, pid: int, note: str, bar_ms: float | None) -> Iterator[Figure]:
    asked: dict[str, Any] = {"run": [f"run-{number}" for number in range(_RUNS)], "keys": SPIKE, "samples": 500}
    times = []
    begin = processes.cpu_seconds(pid)
    for _ in range(_REQUESTS):
        start = time.monotonic()
        found = client.get(_PATH, params=asked).raise_for_status().json()["runs"]
        times.append(time.monotonic() - start)
        assert all(len(one["series"][0]["values"]) > 100 for one in found)
    bar = None if bar_ms is None else at_most(bar_ms)
    cpu = (processes.cpu_seconds(pid) - begin) / _REQUESTS
    detail = f"{note}; first {1000 * times[0]:.0f} ms; {1000 * cpu:.0f} ms of CPU time of the API"
    yield Figure(
        "curves of 100 runs, 500 points each, p95", 1000 * float(np.percentile(times[1:], 95)), "ms", bar, detail
    )
