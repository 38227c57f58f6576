"""The cost of ten idle runs and of an idle stack."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from runstream.spool.control_page import CONTROL_NAME, ControlPage, Word
from runstream_deploy.processes.reaper import Reaper
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.processes import cpu_seconds, proportional_memory, tree
from tests.polling import eventually
from tests.running_stack import Stack, running_stack
from tests.trainers import run_folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.scale import Scale

RUNS = 10


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield percentages of a core, and MiB."""
    reaper = Reaper()
    try:
        with running_stack(scale.folder / "stack", reaper, {}) as stack:
            yield from _figures(stack, scale)
    finally:
        reaper.close()


def _figures(stack: Stack, scale: Scale) -> Iterator[Figure]:
    settle, seconds = float(scale.of(20, 5)), float(scale.of(60, 10))
    servers = tree(stack.state().pid)
    _wait(settle)
    idle = _cores(servers, seconds)
    trainers = [_start(stack, scale.folder / f"idle-{number}") for number in range(RUNS)]
    _wait(settle)
    pids = [[trainer.pid, *_helpers(scale.folder / f"idle-{number}")] for number, trainer in enumerate(trainers)]
    clients = [pid for group in pids for pid in group]
    before = {pid: cpu_seconds(pid) for pid in [*clients, *servers]}
    begin = time.monotonic()
    _wait(seconds)
    passed = time.monotonic() - begin
    spent = {pid: cpu_seconds(pid) - earlier for pid, earlier in before.items()}
    each = max(sum(spent[pid] for pid in group) for group in pids) / passed
    busy = sum(spent[pid] for pid in servers) / passed
    memory = sum(proportional_memory(pid) for pid in servers)
    client = sum(proportional_memory(pid) for pid in clients) / RUNS
    for trainer in trainers:
        trainer.send_signal(signal.SIGUSR1)
    for trainer in trainers:
        trainer.wait(60)
    note = "trainer, shipper and guardian of the busiest of ten runs"
    yield Figure("an idle run", each * 100, "% of a core", bar=at_most(1), note=note)
    yield Figure("an idle run, memory", client, "MiB", note="proportional, including the trainer")
    yield Figure("the idle stack", idle * 100, "% of a core", bar=at_most(10), note="no runs")
    yield Figure("the stack with ten idle runs", busy * 100, "% of a core")
    yield Figure("the stack, memory", memory, "MiB", bar=at_most(1536), note="proportional, all processes")


def _start(stack: Stack, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    trainer = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.idle_run", str(folder)],
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert trainer.stdout is not None
    trainer.stdout.readline()
    return trainer


def _helpers(folder: Path) -> list[int]:
    """Return the pids of the shipper and the guardian of the run in a folder."""
    (run_folder,) = run_folders(folder)
    with ControlPage(run_folder / CONTROL_NAME) as control:
        return [pid for pid in (control[Word.SHIPPER_PID], control[Word.GUARDIAN_PID]) if pid]


def _cores(pids: list[int], seconds: float) -> float:
    before, begin = sum(cpu_seconds(pid) for pid in pids), time.monotonic()
    _wait(seconds)
    return (sum(cpu_seconds(pid) for pid in pids) - before) / (time.monotonic() - begin)


def _wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= end, within=seconds + 5, every=0.5)
