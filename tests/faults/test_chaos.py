"""Processes are killed at random while eight processes log; a recount finds each value exactly once."""

from __future__ import annotations

import os
import random
import threading
from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import CONTROL_NAME, ControlPage, Word
from tests.faults.recount import recount
from tests.polling import eventually
from tests.trainers import Server, command, kill, new_id, run_folders, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.running_stack import Stack

WRITERS = 8
#: Of each process; docs/benchmarks.md has the figures of 12 500.
ROWS = int(os.environ.get("RUNSTREAM_CHAOS_ROWS", "2_000"))
METRICS = 20
CONSUMERS = ("history", "summary", "liveness", "alerts", "files", "compactor")


class Killer(threading.Thread):
    """Repeatedly kills a random process until it is stopped. Except for timing, deterministic for a seed."""

    def __init__(self, targets: Callable[[], list[int]], seed: int, every: float) -> None:
        super().__init__(daemon=True)
        self._targets = targets
        self._random = random.Random(seed)
        self._every = every
        self._stopping = threading.Event()
        self.kills = 0

    def run(self) -> None:
        """Kill until stopped."""
        while not self._stopping.wait(self._random.uniform(0.5, 1.5) * self._every):
            pids = self._targets()
            if pids:
                kill([self._random.choice(pids)])
                self.kills += 1

    def stop(self) -> None:
        """Stop, and wait for the end of the thread."""
        self._stopping.set()
        self.join()


def shippers(folder: Path) -> list[int]:
    """Return the pids of the shippers and guardians of all run folders below a folder."""
    pids = []
    for run_folder in folder.glob("*/runstream/run-*"):
        if (run_folder / CONTROL_NAME).exists():
            with ControlPage(run_folder / CONTROL_NAME) as control:
                pids += [control[Word.SHIPPER_PID], control[Word.GUARDIAN_PID]]
    return [pid for pid in pids if pid]


def consumers(stack: Stack) -> list[int]:
    """Return the pids of the stack's consumers and of its compactor."""
    services = stack.state().services
    return [pid for name in CONSUMERS if (pid := services[name].pid)]


@pytest.mark.timeout(900)
def test_rows_are_stored_exactly_once_while_shippers_and_consumers_are_killed(
    stack: Stack, server: Server, tmp_path: Path
) -> None:
    """Eight processes log rows of 20 values while shippers, guardians and consumers are killed."""
    run_id = new_id()
    journal = tmp_path / "journal"
    size = ("--rows", ROWS, "--metrics", METRICS)
    killer = Killer(lambda: shippers(tmp_path) + consumers(stack), seed=20, every=1.0)
    processes = [
        start(
            "log_rows",
            *("--id", run_id, "--label", label, "--mode", "shared"),
            *("--journal", journal, *size),
            environment=stack.environment,
            folder=tmp_path / str(label),
        )
        for label in range(WRITERS)
    ]
    killer.start()
    ended = [process.wait(600) for process in processes]
    killer.stop()

    assert ended == [0] * WRITERS
    assert killer.kills > 0
    for label in range(WRITERS):
        for folder in run_folders(tmp_path / str(label)):
            command("sync", folder, environment=stack.environment)
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=300, every=0.5)
    verdict = recount(journal, url=stack.url, token=stack.token)
    assert verdict.good, verdict
    assert verdict.stored == WRITERS * ROWS
