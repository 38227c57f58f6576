"""Child processes: waiting for their end, stopping them, and killing them with their descendants."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.processes.child import Child, Command, poll_until_ended, process_ended
from runstream_deploy.processes.reaper import descendants, is_running
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper

#: Ends with 7 on SIGINT.
HANDLES_SIGINT = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""
#: Ignores SIGTERM, and so does its child.
IGNORES_SIGTERM = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("wait", [process_ended, poll_until_ended])
async def test_wait_lasts_until_the_process_exits(wait: Callable[[int], Awaitable[None]]) -> None:
    """The wait ends with the process, whose exit status stays available."""
    process = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - as the stack starts its services
    waiting = asyncio.ensure_future(wait(process.pid))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert done == set()
    process.kill()
    await asyncio.wait_for(waiting, 10)
    assert process.wait() == -signal.SIGKILL


async def test_child_is_stopped_by_its_own_signal(tmp_path: Path, reaper: Reaper) -> None:
    """The handler of the signal decides the exit code."""
    command = Command(arguments=[sys.executable, "-c", HANDLES_SIGINT], stop_signal=signal.SIGINT)
    child = Child(command, tmp_path / "log", reaper)
    eventually((tmp_path / "log").read_text)
    child.stop()
    assert await child.ended() == 7


def test_child_that_ignores_its_signal_is_killed(tmp_path: Path, reaper: Reaper) -> None:
    """After the time limit, the whole process tree is killed."""
    child = Child(Command(arguments=[sys.executable, "-c", IGNORES_SIGTERM]), tmp_path / "log", reaper)
    eventually(lambda: (tmp_path / "log").read_text().count("ready") == 2)
    tree = descendants(child.pid)
    child.stop(within=0.2)
    assert child.exit_code() == -signal.SIGKILL
    assert [process for process in tree if is_running(*process)] == []
    assert len(tree) == 1


def test_child_gets_the_environment_of_its_command(tmp_path: Path, reaper: Reaper) -> None:
    """It is added to that of this process, and not passed as arguments."""
    program = "import os; print(os.environ['PATH'] != '', os.environ['SECRET'], flush=True)"
    command = Command(arguments=[sys.executable, "-c", program], environment={"SECRET": "s3cret"})
    child = Child(command, tmp_path / "log", reaper)
    assert eventually((tmp_path / "log").read_text) == "True s3cret\n"
    child.stop()
