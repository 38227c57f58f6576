"""Reads compared with other trackers on equal data: MLflow on SQLite and PostgreSQL, Aim and Trackio.

Those are called in the process that has their database or repository; ours are requests to an API process.
"""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from runstream.public_api.api import Api
from runstream_deploy.processes.child import Child
from runstream_deploy.processes.ports import choose_port
from runstream_deploy.services.api_process import ApiProcess
from runstream_deploy.services.service import wait_until_ready
from runstream_schemas.topics import RunPath
from tests.benchmarks.archived_run import LongRun
from tests.benchmarks.bench_archive import compact_all, known_runs, object_store
from tests.benchmarks.bench_peers import PROGRAMS, environment
from tests.benchmarks.figures import Figure, at_least
from tests.benchmarks.peers.reads import KEYS, POINTS, row
from tests.benchmarks.rig import ENTITY, Rig, rig
from tests.run_aside import run_aside
from tests.running_stack import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.benchmarks.scale import Scale

_PROJECT = "readers"
_ROUNDS = 7
_SHOWN = {
    "scan": "all values of a metric of a run",
    "chart": f"chart of a metric of a run, {POINTS} points",
    "curves": f"curves of a metric of all runs, {POINTS} points each",
}


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield our times, and those of each tracker in relation to them."""
    if not environment(scale):
        return
    runs, rows = 10, scale.of(10_000, 500)
    note = f"{runs} runs of {rows:,} rows of {len(KEYS)} metrics"
    with rig(scale.folder) as servers, _served(servers, scale.folder, runs, rows) as api:
        ours = _ours(api, runs)
        for name, seconds in ours.items():
            yield Figure(_SHOWN[name], 1000 * seconds, "ms", note=f"{note}, archived, over HTTP")
        run_aside(servers.postgres.ensure_database("mlflow"))
        places = {
            ("MLflow, SQLite", "read_mlflow"): f"sqlite:///{scale.folder}/mlflow.db",
            ("MLflow, PostgreSQL", "read_mlflow"): _address(servers),
            ("Aim", "read_aim"): str(scale.folder / "aim"),
            ("Trackio", "read_trackio"): str(scale.folder / "trackio"),
        }
        for (shown, program), place in places.items():
            for name, (seconds, count) in _theirs(scale, program, place, runs, rows).items():
                detail = f"{1000 * seconds:.1f} ms for {count:,} points"
                yield Figure(f"{shown}: {_SHOWN[name]}, of ours", seconds / ours[name], "x", at_least(1), detail)


@contextmanager
def _served(servers: Rig, folder: Path, runs: int, rows: int) -> Iterator[Api]:
    """Provide the API over archived runs."""
    with object_store(folder, servers.reaper) as store:
        settings = servers.server(servers.new_topics()) | store
        paths = [RunPath(entity=ENTITY, project=_PROJECT, run_id=f"run-{number}") for number in range(runs)]
        with known_runs(servers.broker, settings, paths):
            for number, path in enumerate(paths):
                run_aside(LongRun(settings["RUNSTREAM_POSTGRES"], path, rows, _values(number)).write(rows))
            compact_all(settings)
            api = ApiProcess(choose_port(), settings)
            child = Child(api.command(), folder / "api.log", servers.reaper)
            try:
                run_aside(wait_until_ready(api, child.exit_code, folder / "api.log"))
                yield Api({"base_url": api.url}, api_key=servers.token, timeout=180)
            finally:
                child.stop()


def _values(number: int) -> Callable[[NDArray[np.int64], int], dict[str, NDArray[np.float64]]]:
    def values(steps: NDArray[np.int64], _rows: int) -> dict[str, NDArray[np.float64]]:
        rows = [row(number, step) for step in steps.tolist()]
        return {key: np.array([one[key] for one in rows]) for key in KEYS}

    return values


def _ours(api: Api, runs: int) -> dict[str, float]:
    run = api.run(f"{ENTITY}/{_PROJECT}/run-0")
    listed = api.runs(f"{ENTITY}/{_PROJECT}", per_page=runs)
    assert len(list(listed)) == runs
    reads: dict[str, Callable[[], Any]] = {
        "scan": lambda: list(run.scan_history(keys=[KEYS[0]], page_size=10_000)),
        "chart": lambda: run.series([KEYS[0]], POINTS),
        "curves": lambda: listed.series([KEYS[0]], POINTS),
    }
    return {name: median(_seconds(read) for _ in range(_ROUNDS)) for name, read in reads.items()}


def _seconds(read: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    assert read()
    return time.perf_counter() - begin


def _address(servers: Rig) -> str:
    return (
        servers.postgres.address("mlflow")
        .replace("postgres://", "postgresql://")
        .replace("postgresql://", "postgresql+psycopg2://")
    )


def _theirs(scale: Scale, program: str, place: str, runs: int, rows: int) -> dict[str, tuple[float, int]]:
    done = subprocess.run(
        [str(scale.peers / "bin" / "python"), str(PROGRAMS / f"{program}.py"), place, str(runs), str(rows)],
        cwd=scale.folder,
        env={**clean_environment(), "HOME": str(scale.folder)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{program} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return {name: (found[0], found[1]) for name, found in json.loads(line).items()}
