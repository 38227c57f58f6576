"""Short programs that track a run against the stack, and what the server returns for the run."""

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

#: Starts a run with a given id and logs a row.
BEGIN = """
import multiprocessing, os, signal, subprocess, sys, threading, time
import runstream
def until(check, within=120):
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)
run = runstream.init(project="tests", id={run_id!r}, settings={{"silent": True, "x_disable_stats": True}})
run.log({{"x": 1}})
"""
#: Waits until everything logged so far is acknowledged.
SEEN = "until(lambda: not run.status().sync_items_pending)\n"
READY = SEEN + "print('ready', flush=True)\n"
#: Waits for a line from the test (``release``), or for a signal.
WAIT = "sys.stdin.readline()\n"

_OVER = {"finished", "failed", "crashed", "killed", "preempted"}


@contextmanager
def training(stack: Stack, folder: Path, run_id: str, source: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program that logs a row and then runs the source; it is killed at the end of the block."""
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
    """Run such a program until it exits and return its exit status."""
    with training(stack, folder, run_id, source, **more) as process:
        process.communicate(timeout=120)
        return process.returncode


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Wait until a program has printed a line."""
    assert process.stdout is not None
    while (found := process.stdout.readline()) != f"{line}\n":
        assert found, f"the program ended without printing {line!r}"


def release(process: subprocess.Popen[str]) -> None:
    """Send a line to a program that waits for one."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def wait_running(process: subprocess.Popen[str], server: Server, run_id: str) -> None:
    """Wait until a program is ready and a heartbeat has made its run ``running``."""
    wait_for(process, "ready")
    eventually(lambda: server.run(run_id)["state"] == "running")


def ended(server: Server, run_id: str) -> tuple[str, str]:
    """Wait for a run to end; return its state and the reason of its primary writer."""
    eventually(lambda: server.run(run_id)["state"] in _OVER)
    found = server.run(run_id, "/state")
    (primary,) = [writer for writer in found["writers"] if writer["role"] == "primary"]
    assert len(server.rows(run_id)) >= 1
    return found["state"], primary["reason"]


def states(server: Server, run_id: str) -> list[str]:
    """Return the states of a run, in order."""
    return [change["to"] for change in server.run(run_id, "/state")["transitions"]]
