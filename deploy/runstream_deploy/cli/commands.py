"""The commands ``up``, ``down`` and ``status``; each returns an exit status."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from rich.console import Console

from runstream.cli.console import output
from runstream_deploy.cli.output import Progress, print_quarantine, print_running, print_status
from runstream_deploy.exceptions import DataFolderError, ServiceError
from runstream_deploy.processes.log_rotation import rotate
from runstream_deploy.services.quarantine import read_messages
from runstream_deploy.services.service import last_lines
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.settings import read_settings
from runstream_deploy.stack.state import StackPhase, StackState, read_state
from runstream_deploy.stack.status import read_status
from runstream_deploy.stack.supervisor import supervise

#: Time limit of a start; the first one downloads Kafka.
_START_S = 900.0
#: Time limit of a stop; longer than the services have to exit.
_STOP_S = 60.0


def start(folder: DataFolder, console: Console) -> int:
    """Run the stack in this process until a signal stops it."""
    with Progress(console) as progress:

        def show(state: StackState) -> None:
            phase_changed = progress.show(state)
            if phase_changed and state.phase is StackPhase.RUNNING:
                print_running(console, state.url, str(folder.path), detached=False)

        supervise(folder, read_settings(), show)
    console.print("stopped", style="dim")
    return 0


def start_detached(folder: DataFolder, console: Console) -> int:
    """Run the stack in a separate process, unless it is running, and return once it is ready."""
    folder.create()
    with Progress(console) as progress:
        if (holder := folder.supervisor()) is not None:
            state = _await_ready(folder, holder, lambda: _exit_of(folder, holder), progress)
        else:
            state = _start_separately(folder, progress)
    print_running(console, state.url, str(folder.path), detached=True)
    return 0


def _start_separately(folder: DataFolder, progress: Progress) -> StackState:
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
    try:
        return _await_ready(folder, process.pid, process.poll, progress)
    except ServiceError:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait()
        # Another command may have started the stack in the same moment.
        if (holder := folder.supervisor()) is None:
            raise
        return _await_ready(folder, holder, lambda: _exit_of(folder, holder), progress)


def _exit_of(folder: DataFolder, holder: int) -> int | None:
    """Return None while a supervisor that was started elsewhere runs."""
    return None if folder.supervisor() == holder else 1


def stop(folder: DataFolder, console: Console) -> int:
    """Stop the stack, wherever it was started, and wait until all its processes have exited."""
    pid = folder.supervisor()
    if pid is None and not folder.is_held():
        console.print(f"No stack is running on {folder.path}", markup=False, highlight=False)
        return 0
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    with console.status("stopping"):
        if not _await_free(folder, _STOP_S):
            # It hangs or is suspended. Its reaper ends the services once it has exited.
            if (pid := folder.supervisor()) is not None:
                os.kill(pid, signal.SIGKILL)
            if not _await_free(folder, _STOP_S):
                raise ServiceError("the stack", f"on {folder.path} does not stop")
    console.print("stopped", style="dim")
    return 0


def show(folder: DataFolder, *, as_json: bool) -> int:
    """Print the status of the stack; return 0 only if it is healthy."""
    status = asyncio.run(read_status(folder))
    if as_json:
        sys.stdout.write(status.model_dump_json(indent=2) + "\n")
    else:
        print_status(output(markup=True), status)
    return 0 if status.healthy else 1


def show_quarantine(folder: DataFolder, consumer: str, limit: int) -> int:
    """Print the messages in quarantine; raise StackError if no stack has run in the folder."""
    state = read_state(folder)
    if state is None or not (dsn := state.environment.get("RUNSTREAM_POSTGRES")):
        raise DataFolderError(f"No stack has run in {folder.path}: start one with `runstream up`")
    try:
        messages = asyncio.run(read_messages(dsn, consumer, limit))
    except OSError as error:
        raise ServiceError("postgres", f"does not answer ({error})") from error
    print_quarantine(output(markup=True), messages)
    return 0


def _await_free(folder: DataFolder, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while folder.is_held():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _await_ready(folder: DataFolder, pid: int, exit_code: Callable[[], int | None], progress: Progress) -> StackState:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        # In this order: a process that has exited has written its last state.
        code = exit_code()
        state = read_state(folder)
        if state is not None and state.pid == pid:
            progress.show(state)
            if state.phase is StackPhase.RUNNING and code is None:
                return state
            if code is not None and state.phase is StackPhase.FAILED:
                raise ServiceError("the stack", f"could not be started: {state.message}")
        if code is not None:
            raise ServiceError("the stack", f"exited with code {code}", last_lines(folder.log("supervisor")))
        time.sleep(0.1)
    raise ServiceError("the stack", f"was not ready within {_START_S:.0f} s", last_lines(folder.log("supervisor")))
