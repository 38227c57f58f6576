"""``log()`` compared with other trackers, each in its own process, in turns."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, at_least
from tests.benchmarks.sampling import percentile, ratio
from tests.running_stack import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

PROGRAMS = Path(__file__).resolve().parent / "peers"
PACKAGES = ("wandb", "trackio", "mlflow", "pillow", "aim", "psycopg2-binary")
OURS = "runstream_offline"
#: Name, and whether a row survives ``kill -9`` of the process after the call returned, by the design of that tracker.
PEERS = {
    "wandb_offline": ("W&B offline", "handed to a service process"),
    "trackio_local": ("Trackio", "queued in the process; lost with it"),
    "mlflow_sqlite": ("MLflow, SQLite", "committed; survives kill -9"),
    "mlflow_async": ("MLflow, asynchronous", "queued in the process; lost with it"),
}
BARS = {"mlflow_sqlite": 10.0, "wandb_offline": 10.0, "trackio_local": 1.0, "mlflow_async": 1.0}


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the ratios of the calls of other trackers to ours."""
    if not environment(scale):
        return
    samples_of: dict[str, list[float]] = {name: [] for name in [OURS, *PEERS]}
    for number in range(scale.of(5, 1)):
        for name, samples in samples_of.items():
            samples.append(_p50(scale, name, number))
    yield Figure("log() p50, separate process", median(samples_of[OURS]) / 1000, "µs", note="10 scalars")
    for name, (shown, kept) in PEERS.items():
        times = ratio(samples_of[name], samples_of[OURS])
        note = f"{median(samples_of[name]) / 1000:.3g} µs; {kept}"
        yield Figure(f"{shown} / our log()", times, bar=at_least(BARS[name]), note=note)


def _p50(scale: Scale, name: str, number: int) -> float:
    folder = scale.folder / f"{name}-{number}"
    folder.mkdir()
    interpreter = sys.executable if name == OURS else str(scale.peers / "bin" / "python")
    calls = scale.of(2_000, 100) // (10 if name == "mlflow_sqlite" else 1)
    done = subprocess.run(
        [interpreter, str(PROGRAMS / f"{name}.py"), str(folder), str(calls)],
        cwd=folder,
        env={**clean_environment(), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    line = next(line for line in done.stdout.splitlines() if line.startswith("["))
    return percentile(json.loads(line), 0.5)


def environment(scale: Scale) -> bool:
    """Return whether the other trackers are installed; install them in a virtual environment if requested."""
    python = scale.peers / "bin" / "python"
    if not python.exists() and scale.install:
        venv.create(scale.peers, with_pip=True)
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *PACKAGES], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.stderr.write(f"  SKIPPED: the peers cannot be installed:\n{done.stderr}\n")
            return False
    if not python.exists():
        sys.stderr.write("  SKIPPED: the other trackers are not installed; --install installs them\n")
        return False
    return True
