"""Seconds from ``kill -9`` of a training process until the HTTP API reports its run as crashed, by default settings."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_most
from tests.polling import eventually
from tests.running_stack import running_stack
from tests.trainers import Server, kill, new_id, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.scale import Scale

#: Seconds from a kill until readers get the state.
BAR = 2.0


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the median and the maximum in seconds."""
    reaper = Reaper()
    try:
        with running_stack(scale.folder / "stack", reaper, {}) as stack:
            server = Server(url=stack.url, token=stack.token, entity=stack.entity)
            samples = [
                _until_crashed(server, stack.environment, scale.folder / f"run-{number}")
                for number in range(scale.of(11, 2))
            ]
    finally:
        reaper.close()
    yield Figure("kill -9 of the trainer to `crashed` at the API, p50", median(samples), "s", bar=at_most(BAR))
    yield Figure("… the slowest", max(samples), "s", bar=at_most(BAR))


def _until_crashed(server: Server, environment: dict[str, str], folder: Path) -> float:
    run_id = new_id()
    trainer = start("log_rows", "--id", run_id, "--end", "wait", environment=environment, folder=folder)
    eventually(lambda: server.run(run_id)["state"] == "running")
    killed = time.monotonic()
    kill([trainer.pid])
    trainer.wait()
    eventually(lambda: server.run(run_id)["state"] == "crashed", every=0.01)
    return time.monotonic() - killed
