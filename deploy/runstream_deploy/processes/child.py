"""A service as a child process: tied to this process, stopped by its own signal, and killed if that fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from runstream_deploy.processes import launch
from runstream_deploy.processes.reaper import Reaper, descendants, is_running, send_signal


class Identity(Enum):
    """The user that a service runs as."""

    #: The user who started the stack.
    SAME = "same"
    #: The same user in a separate user namespace, for servers that refuse to run as root.
    NAMESPACE = "namespace"
    #: The user ``nobody``, for root where user namespaces are not allowed.
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a service is started and stopped."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Identity = Identity.SAME


def launch_arguments(command: Command, reaper: Reaper | None = None) -> list[str]:
    """Return the arguments that start a command as a process that ends with this thread."""
    stop, identity = int(command.stop_signal), command.identity.value
    options = [f"--parent={os.getpid()}", f"--signal={stop}", f"--identity={identity}"]
    if reaper is not None:
        options.append(f"--reaper={reaper.descriptor}")
    return [sys.executable, "-I", "-S", launch.__file__, *options, "--", *command.arguments]


def run(command: Command) -> subprocess.CompletedProcess[str]:
    """Run a command until it exits; return its exit code and output."""
    return subprocess.run(launch_arguments(command), capture_output=True, text=True, check=False)  # noqa: S603 - the stack's own


async def process_ended(pid: int) -> None:
    """Wait until a child process exits; its exit status stays available to ``waitpid``."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        # A kernel before 5.3, or a Python that was built for one.
        await poll_until_ended(pid)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def poll_until_ended(pid: int, *, every: float = 0.2) -> None:
    """Like ``process_ended``, by polling every so many seconds."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, pid, options) is None:  # noqa: ASYNC110, ASYNC222 - returns at once
        await asyncio.sleep(every)


class Child:
    """A running service. Create it in a thread that runs as long as the service: it ends with that thread.

    The reaper ends it if this process is killed. The environment of the command is added to ``base``, by default that
    of this process.
    """

    def __init__(self, command: Command, log: Path, reaper: Reaper, *, base: Mapping[str, str] | None = None) -> None:
        self.command = command
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the stack's own services
                launch_arguments(command, reaper),
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
        """Return the exit code, negative for a signal; None while the service runs."""
        return self._process.poll()

    async def ended(self) -> int:
        """Wait until the service exits, without polling; return its exit code."""
        if self.exit_code() is None:
            await process_ended(self.pid)
        return self._process.wait()

    def kill(self) -> None:
        """Kill the service and its descendants."""
        tree = descendants(self.pid)
        for process in [(self.pid, self.started), *tree]:
            send_signal(*process, signal.SIGKILL)
        self._process.wait()

    def stop(self, *, within: float = 20.0) -> None:
        """Request a stop, wait ``within`` seconds for the whole process tree to exit, then kill the rest."""
        tree = descendants(self.pid)
        self._process.send_signal(self.command.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        if self.exit_code() is None:
            self.kill()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and any(is_running(*process) for process in tree):
            time.sleep(0.02)
        for process in tree:
            send_signal(*process, signal.SIGKILL)
