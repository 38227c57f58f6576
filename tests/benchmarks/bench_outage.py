"""``log()`` while the broker is suspended, and how fast the backlog is delivered afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.sampling import percentile
from tests.polling import eventually
from tests.running_stack import Stack, running_stack
from tests.trainers import Server, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.scale import Scale

#: Rows of ten scalars per second.
RATE = 500.0
BEFORE = 10.0
AFTER = 20.0


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The delivery of a backlog: rows, seconds until the first of them, seconds until only the newest are missing."""

    backlog: float
    resumed: float
    drained: float


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the cost of ``log()`` during and after the outage, and the drain rate relative to the live rate."""
    outage = float(scale.of(45, 8))
    reaper = Reaper()
    try:
        with running_stack(scale.folder / "stack", reaper, {}) as stack:
            yield from _figures(stack, scale.folder / "steady", outage)
    finally:
        reaper.close()


def _figures(stack: Stack, folder: Path, outage: float) -> Iterator[Figure]:
    folder.mkdir()
    run_id = new_id()
    arguments = ["-m", "tests.benchmarks.steady", str(folder), run_id, str(RATE), str(BEFORE + outage + AFTER)]
    trainer = subprocess.Popen([sys.executable, *arguments], env=stack.environment)
    server = Server(url=stack.url, token=stack.token, entity=stack.entity)
    eventually(lambda: _stored(server, run_id) > RATE * BEFORE / 2, within=60)
    broker = stack.pid("kafka")
    frozen = time.time()
    os.kill(broker, signal.SIGSTOP)
    try:
        eventually(lambda: time.time() > frozen + outage, within=outage + 5, every=0.2)
    finally:
        os.kill(broker, signal.SIGCONT)
    caught = _catch_up(server, run_id, time.time(), outage)
    trainer.wait(120)
    calls = json.loads((folder / "calls.json").read_text())
    down = [spent for began, spent in calls if frozen + 1 < began < frozen + outage]
    up = [spent for began, spent in calls if began < frozen]
    part = "broker suspended / running"
    yield Figure(f"log() p50, {part}", percentile(down, 0.5) / percentile(up, 0.5), bar=at_most(1.2))
    yield Figure(f"log() p99, {part}", percentile(down, 0.99) / percentile(up, 0.99))
    rate = caught.backlog / caught.drained
    note = f"{rate:.0f} rows/s over {caught.backlog:.0f} rows, trainer to API; {RATE:.0f} rows/s are logged"
    yield Figure("drain after an outage / live rate", rate / RATE, bar=at_least(10), note=note)
    yield Figure("first row after the outage", caught.resumed, "s", note=f"outage of {outage:.0f} s")


def _catch_up(server: Server, run_id: str, thawed: float, outage: float) -> CatchUp:
    """Watch the stored rows after the outage until they are within a second of what is logged."""
    start = _stored(server, run_id)
    eventually(lambda: _stored(server, run_id) > start, within=60, every=0.02)
    resumed = time.time()

    def is_caught_up() -> bool:
        """Return whether only rows of the last second can be missing."""
        return _stored(server, run_id) >= start + RATE * (outage + time.time() - thawed - 1)

    eventually(is_caught_up, within=120, every=0.02)
    now = time.time()
    return CatchUp(backlog=_stored(server, run_id) - start, resumed=resumed - thawed, drained=now - thawed)


def _stored(server: Server, run_id: str) -> int:
    """Return the number of stored rows of the run."""
    try:
        delivery = server.run(run_id, "/delivery", project="bench")
    except AssertionError:
        return 0
    return max((writer["topics"].get("log", {}).get("stored", 0) for writer in delivery["writers"]), default=0)
