"""``runstream up`` as a child process of a test."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream_deploy.processes.child import Command, Identity, launch_arguments
from runstream_deploy.processes.reaper import Reaper, descendants, is_running
from runstream_deploy.stack.data_folder import DataFolder
from runstream_deploy.stack.state import ServiceState, StackPhase, read_state
from tests.polling import eventually
from tests.running_stack import FAST, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ProcessId = tuple[int, int]


def stack_command(*arguments: str, settings: Mapping[str, str] = FAST) -> subprocess.CompletedProcess[str]:
    """Run a command of the stack until it exits."""
    return subprocess.run(
        [sys.executable, "-m", "runstream_deploy", *arguments],
        env={**clean_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Foreground:
    """A stack in the foreground of a terminal."""

    folder: DataFolder
    process: subprocess.Popen[bytes]
    log: Path

    def is_running(self) -> bool:
        """Return whether the whole stack runs."""
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text())
        state = read_state(self.folder)
        return state is not None and state.pid == self.process.pid and state.phase is StackPhase.RUNNING

    def all_processes(self) -> list[ProcessId]:
        """Return (pid, start) of every process of the stack except the supervisor."""
        return descendants(self.process.pid)

    def services(self) -> list[ServiceState]:
        """Return the states of the services, as recorded by the supervisor."""
        state = read_state(self.folder)
        assert state is not None
        return list(state.services.values())

    def ports(self) -> dict[str, int]:
        """Return the ports in the data folder."""
        return dict(json.loads(self.folder.stack.read_text())["ports"])


@contextmanager
def starting(
    folder: Path, reaper: Reaper, *, settings: Mapping[str, str] = FAST, identity: Identity = Identity.SAME
) -> Iterator[Foreground]:
    """Run ``runstream up`` until the block ends."""
    log = folder.parent / f"{folder.name}.log"
    arguments = [sys.executable, "-m", "runstream_deploy", "up", "--data-dir", str(folder)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            launch_arguments(Command(arguments=arguments, identity=identity), reaper),
            env={**clean_environment(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[reaper.descriptor],
            start_new_session=True,
        )
    try:
        yield Foreground(DataFolder(folder), process, log)
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def foreground(
    folder: Path, reaper: Reaper, *, settings: Mapping[str, str] = FAST, identity: Identity = Identity.SAME
) -> Iterator[Foreground]:
    """Run ``runstream up`` and wait until the whole stack runs."""
    with starting(folder, reaper, settings=settings, identity=identity) as stack:
        eventually(stack.is_running, within=120)
        yield stack


def await_exit(processes: list[ProcessId], *, within: float) -> None:
    """Wait until all processes have exited."""

    def have_exited() -> bool:
        left = [process for process in processes if is_running(*process)]
        assert left == []
        return True

    eventually(have_exited, within=within)


def arguments_of(pid: int) -> bytes:
    """Return the command line of a process; empty if it has exited."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
