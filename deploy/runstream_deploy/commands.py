"""The work behind ``runstream up | down | status``; each returns an exit status."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console

from runstream_deploy.exceptions import DataRefused, ServiceFailed
from runstream_deploy.processes.rotation import rotate
from runstream_deploy.screen import Progress, say_running, show_status
from runstream_deploy.services.service import last_lines
from runstream_deploy.stack.state import Phase, StackState, read_state
from runstream_deploy.stack.status import read_status
from runstream_deploy.stack.supervisor import supervise

if TYPE_CHECKING:
    from runstream_deploy.stack.data_folder import DataFolder

#: Longer than a first start on a slow connection takes.
_START_S = 900.0
#: Longer than the services are given to end.
_STOP_S = 60.0


def start(folder: DataFolder, console: Console) -> int:
    """Run the stack in this process until a signal says stop."""
    with Progress(console) as progress:

        def show(state: StackState) -> None:
            news = progress.show(state)
            if news and state.phase is Phase.RUNNING:
                say_running(console, state.url, str(folder.path), detached=False)

        supervise(folder, os.environ, show)
    console.print("stopped", style="dim")
    return 0


def start_detached(folder: DataFolder, console: Console) -> int:
    """Run the stack in a process of its own and return once it is ready."""
    folder.make()
    if (holder := folder.supervisor()) is not None:
        raise DataRefused(f"a stack is already running on {folder.path} (process {holder})")
    log = folder.log("supervisor")
    rotate(log)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, "-m", "runstream_deploy", "up", "--data-dir", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with Progress(console) as progress:
        state = _await_ready(folder, process, progress)
    say_running(console, state.url, str(folder.path), detached=True)
    return 0


def stop(folder: DataFolder, console: Console) -> int:
    """Stop the stack, wherever it was started, and wait until all of it is gone."""
    pid = folder.supervisor()
    if pid is None and not folder.is_held():
        console.print(f"nothing runs on {folder.path}", markup=False, highlight=False)
        return 0
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    with console.status("stopping"):
        if not _await_free(folder, _STOP_S):
            # It hangs, or was frozen; its reaper ends the services when it is gone.
            if (pid := folder.supervisor()) is not None:
                os.kill(pid, signal.SIGKILL)
            if not _await_free(folder, _STOP_S):
                raise ServiceFailed("the stack", f"on {folder.path} does not end")
    console.print("stopped", style="dim")
    return 0


def show(folder: DataFolder, *, as_json: bool) -> int:
    """Print how the stack does; 0 only if all of it is well."""
    status = asyncio.run(read_status(folder))
    if as_json:
        sys.stdout.write(status.model_dump_json(indent=2) + "\n")
    else:
        show_status(Console(), status)
    return 0 if status.healthy else 1


def _await_free(folder: DataFolder, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while folder.is_held():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _await_ready(folder: DataFolder, process: subprocess.Popen[bytes], progress: Progress) -> StackState:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        # In this order: a process that has ended has written its last state.
        code = process.poll()
        state = read_state(folder)
        if state is not None and state.pid == process.pid:
            progress.show(state)
            if state.phase is Phase.RUNNING:
                return state
            if code is not None and state.phase is Phase.FAILED:
                raise ServiceFailed("the stack", f"could not be started: {state.message}")
        if code is not None:
            raise ServiceFailed("the stack", f"ended with code {code}", last_lines(folder.log("supervisor")))
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.wait()
    raise ServiceFailed("the stack", f"was not ready within {_START_S:.0f} s", last_lines(folder.log("supervisor")))
