"""Child processes: waited for, stopped, killed with all that is below them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runstream_deploy.processes.child import Child, Command, process_ended, process_seen_to_end
from runstream_deploy.processes.reaper import descendants, is_running
from tests.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from runstream_deploy.processes.reaper import Reaper

#: Ends with 7 on SIGINT.
OBEDIENT = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
"""
#: Ignores every polite request, and has a child that does so too.
STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("wait", [process_ended, process_seen_to_end])
async def test_the_end_of_a_process_is_waited_for(wait: Callable[[int], Awaitable[None]]) -> None:
    """The wait lasts as long as the process, and its exit status can still be had."""
    process = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - as the stack starts its services
    waiting = asyncio.ensure_future(wait(process.pid))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert done == set()
    process.kill()
    await asyncio.wait_for(waiting, 10)
    assert process.wait() == -signal.SIGKILL


async def test_a_child_ends_by_its_own_stop_signal(tmp_path: Path, reaper: Reaper) -> None:
    """What the service does on that signal decides its exit code."""
    command = Command(arguments=[sys.executable, "-c", OBEDIENT], stop_signal=signal.SIGINT)
    child = Child(command, tmp_path / "log", reaper)
    eventually((tmp_path / "log").read_text)
    child.stop()
    assert await child.ended() == 7


def test_a_child_that_does_not_listen_is_killed_with_its_children(tmp_path: Path, reaper: Reaper) -> None:
    """When patience ends the whole tree ends."""
    child = Child(Command(arguments=[sys.executable, "-c", STUBBORN]), tmp_path / "log", reaper)
    eventually(lambda: (tmp_path / "log").read_text().count("ready") == 2)
    tree = descendants(child.pid)
    child.stop(within=0.2)
    assert child.exit_code() == -signal.SIGKILL
    assert [process for process in tree if is_running(*process)] == []
    assert len(tree) == 1


def test_a_child_gets_its_environment_and_no_secrets_in_its_arguments(tmp_path: Path, reaper: Reaper) -> None:
    """The command's environment is added to this process's."""
    program = "import os; print(os.environ['PATH'] != '', os.environ['SECRET'], flush=True)"
    command = Command(arguments=[sys.executable, "-c", program], environment={"SECRET": "s3cret"})
    child = Child(command, tmp_path / "log", reaper)
    assert eventually((tmp_path / "log").read_text) == "True s3cret\n"
    child.stop()
