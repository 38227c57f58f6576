"""Short scripts that track a run, as processes of their own against the stack, and what the server has of them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running_stack import Stack
    from tests.trainers import Server

#: Begins a run of an id and logs a row.
BEGIN = """
import multiprocessing, os, signal, subprocess, sys, threading, time
import runstream
run = runstream.init(project="tests", id={run_id!r}, settings={{"silent": True, "x_disable_stats": True}})
run.log({{"x": 1}})
"""
#: Waits until everything so far is acknowledged.
SEEN = """
while run.status().sync_items_pending:
    time.sleep(0.02)
"""
READY = SEEN + "print('ready', flush=True)\n"

_OVER = {"finished", "failed", "crashed", "killed", "preempted"}


@contextmanager
def training(stack: Stack, folder: Path, run_id: str, source: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program that logs a row and goes on with some source; it is killed when the block is left."""
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN.format(run_id=run_id) + source],
            cwd=folder,
            env={**stack.environment, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


def trained(stack: Stack, folder: Path, run_id: str, source: str, **more: str) -> int:
    """Run such a program to its end and return its exit status."""
    with training(stack, folder, run_id, source, **more) as process:
        process.communicate(timeout=60)
        return process.returncode


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Wait until a program has printed a line."""
    assert process.stdout is not None
    while (found := process.stdout.readline()) != f"{line}\n":
        assert found, f"it ended without a word of {line!r}"


def ended(server: Server, run_id: str) -> tuple[str, str]:
    """Return the state of a run that ends, and the reason of its primary; what was counted is stored by then."""
    eventually(lambda: server.run(run_id)["state"] in _OVER)
    found = server.run(run_id, "/state")
    (primary,) = [writer for writer in found["writers"] if writer["role"] == "primary"]
    assert len(server.rows(run_id)) >= 1
    return found["state"], primary["reason"]


def states(server: Server, run_id: str) -> list[str]:
    """Return the states that a run went through."""
    return [change["to"] for change in server.run(run_id, "/state")["transitions"]]
