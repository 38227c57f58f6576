"""One service as a child process: started tied to this process, stopped politely, then not so politely."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from runstream_deploy.processes import launch
from runstream_deploy.processes.reaper import Reaper, descendants, is_running, send

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Identity(Enum):
    """Who a service is to the operating system."""

    #: The user who started the stack.
    SAME = "same"
    #: The same user in a user namespace of its own, so that a server that refuses root sees none.
    NAMESPACE = "namespace"
    #: The user ``nobody``; for root where user namespaces are forbidden.
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a service is started and stopped."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Identity = Identity.SAME


def launched(command: Command, reaper: Reaper | None = None) -> list[str]:
    """Return the arguments that start ``command`` as a process that ends with this thread."""
    options = [
        f"--parent={os.getpid()}",
        f"--signal={int(command.stop_signal)}",
        f"--identity={command.identity.value}",
    ]
    if reaper is not None:
        options.append(f"--reaper={reaper.descriptor}")
    return [sys.executable, "-I", "-S", str(Path(launch.__file__)), *options, "--", *command.arguments]


async def process_ended(pid: int) -> None:
    """Wait for a child process that has not been waited for yet to end."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        # A kernel before 5.3, or a Python that was built for one.
        await process_seen_to_end(pid)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def process_seen_to_end(pid: int, *, every: float = 0.2) -> None:
    """Wait for a child process to end by looking ``every`` so many seconds; it can still be waited for afterwards."""
    look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, pid, look) is None:  # noqa: ASYNC110, ASYNC222 - nobody tells, and a look returns at once
        await asyncio.sleep(every)


class Child:
    """A running service; start it in the thread that lives as long as the service may.

    Args:
        command: What to run.
        log: File that its output is appended to.
        reaper: Ends the service should this process be killed.
        base: The environment that the command's own is added to; default: this process's.
    """

    def __init__(self, command: Command, log: Path, reaper: Reaper, *, base: Mapping[str, str] | None = None) -> None:
        self.command = command
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the stack's own services
                launched(command, reaper),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**(os.environ if base is None else base), **command.environment},
                pass_fds=[reaper.descriptor],
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.started = launch.started(self.pid)
        reaper.remember(self.pid, self.started, int(command.stop_signal))

    def exit_code(self) -> int | None:
        """Return how the service ended, negative for a signal; None while it runs."""
        return self._process.poll()

    async def ended(self) -> int:
        """Wait for the service to end, without looking again and again; return how it ended."""
        if self.exit_code() is None:
            await process_ended(self.pid)
        return self._process.wait()

    def ask_to_stop(self) -> None:
        """Send the service's own stop signal."""
        if self.exit_code() is None:
            self._process.send_signal(self.command.stop_signal)

    def kill(self) -> None:
        """Kill the service and everything below it."""
        tree = descendants(self.pid)
        for process in [(self.pid, self.started), *tree]:
            send(*process, signal.SIGKILL)
        self._process.wait()

    def stop(self, *, within: float = 20.0) -> None:
        """Ask, wait ``within`` seconds for the whole tree to be gone, then kill what is left."""
        tree = descendants(self.pid)
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        if self.exit_code() is None:
            self.kill()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and any(is_running(*process) for process in tree):
            time.sleep(0.02)
        for process in tree:
            send(*process, signal.SIGKILL)
