"""Ends what a supervisor left behind when it was killed: no service outlives the process that started it.

The kernel's parent-death signal asks each service to stop (see ``launch.py``). That alone is not enough: a service may
hang, or be frozen. So a second process, the reaper, holds the read end of a pipe whose write end only the supervisor
has. When the supervisor is gone, however it ended, the reaper reads end-of-file, asks every service it was told of once
more, waits, and kills whatever still runs, whole process trees included.

Run as a script by path with ``python -I -S``; the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds from the supervisor's death until what still runs is killed.
GRACE_S = 20.0


class Reaper:
    """The supervisor's side: starts the process and owns the write end of the pipe.

    Args:
        grace: Seconds from the supervisor's death until what still runs is killed.
        held: Descriptors that stay open until the reaper is done, such as that of a lock on the data.
    """

    def __init__(self, *, grace: float = GRACE_S, held: Sequence[int] = ()) -> None:
        self._grace = grace
        self._held = held
        self._known: list[tuple[int, int, int]] = []
        self._start()

    @property
    def pid(self) -> int:
        """The reaper's process id."""
        return self._process.pid

    def remember(self, pid: int, started: int, stop_signal: int) -> None:
        """Note a service, which has registered itself, for the reaper that may have to replace this one."""
        self._known = [known for known in self._known if is_running(*known[:2])]
        self._known.append((pid, started, stop_signal))

    def revive(self) -> None:
        """Replace a reaper that has ended; the new one knows all services."""
        os.close(self.descriptor)
        self._process.wait()
        self._start()
        for pid, started, stop_signal in self._known:
            os.write(self.descriptor, f"{pid} {started} {stop_signal}\n".encode())

    def close(self) -> None:
        """Let the reaper go; it first ends what it was told of and what still runs."""
        os.close(self.descriptor)
        self._process.wait()

    def _start(self) -> None:
        reading, self.descriptor = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", __file__, str(reading), str(self._grace)],
                stdin=subprocess.DEVNULL,
                # A terminal or a pipe that the supervisor wrote to must not stay open for the reaper's sake.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[reading, *self._held],
                start_new_session=True,
            )
        finally:
            os.close(reading)


def main(descriptor: int, grace: float) -> None:
    """Read registrations until the supervisor is gone, then end what is left."""
    # Ctrl-C and a polite stop are for the supervisor to act on, not for the one who watches it.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    with os.fdopen(descriptor, "rb") as pipe:
        lines = pipe.read().splitlines()
    services = {(int(pid), int(start)): int(stop) for pid, start, stop in (line.split() for line in lines)}
    end(services, grace)


def end(services: dict[tuple[int, int], int], grace: float) -> None:
    """Stop each service (pid, start) by its signal; after ``grace`` seconds kill it with all its descendants."""
    trees = {service: descendants(service[0]) for service in services if is_running(*service)}
    for pid, start in trees:
        send(pid, start, services[pid, start])
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(is_running(*process) for process in everything(trees)):
        time.sleep(0.05)
    for pid, _ in trees:
        for process in descendants(pid):
            send(*process, signal.SIGKILL)
    for process in everything(trees):
        send(*process, signal.SIGKILL)


def everything(trees: dict[tuple[int, int], list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Return the services and their descendants."""
    return [*trees, *(process for tree in trees.values() for process in tree)]


def send(pid: int, start: int, number: int) -> None:
    """Signal a process unless its number has gone to another one."""
    if is_running(pid, start):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def is_running(pid: int, start: int) -> bool:
    """Return whether that very process lives; a zombie does not."""
    try:
        state, _, started = stat(pid)
    except OSError:
        return False
    return started == start and state not in b"ZX"


def descendants(pid: int) -> list[tuple[int, int]]:
    """Return (pid, start) of all processes below ``pid``."""
    children: dict[int, list[tuple[int, int]]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                _, parent, start = stat(int(entry.name))
                children.setdefault(parent, []).append((int(entry.name), start))
    found: list[tuple[int, int]] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [child for child, _ in below]
    return found


def stat(pid: int) -> tuple[bytes, int, int]:
    """Return (state, parent, start in clock ticks) of a process; OSError where there is none."""
    line = Path(f"/proc/{pid}/stat").read_bytes()
    fields = line[line.rindex(b")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[19])


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
