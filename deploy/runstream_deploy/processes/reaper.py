"""Ends the services of a supervisor that was killed: no service outlives the process that started it.

The kernel's parent-death signal stops each service (see ``launch.py``), unless the service hangs or is suspended. So
a second process, the reaper, holds the read end of a pipe whose write end only the supervisor has. When the supervisor
has exited for any reason, the reaper reads end-of-file, signals every registered service again, waits, and kills the
process trees that still run.

Run as a script by path with ``python -I -S``; the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

#: Seconds from the end of the supervisor until services that still run are killed.
GRACE_S = 20.0


class Reaper:
    """The supervisor's side: starts the process and owns the write end of the pipe.

    ``grace`` is in seconds from the end of the supervisor until services that still run are killed; ``held`` are
    descriptors to keep open until the reaper exits, such as that of the lock on the data folder.
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
        """Remember a service, which has registered itself, in case the reaper must be replaced."""
        self._known = [known for known in self._known if is_running(*known[:2])]
        self._known.append((pid, started, stop_signal))

    def revive(self) -> None:
        """Replace a reaper that has exited; the new one knows all services."""
        os.close(self.descriptor)
        self._process.wait()
        self._start()
        for pid, started, stop_signal in self._known:
            os.write(self.descriptor, f"{pid} {started} {stop_signal}\n".encode())

    def close(self) -> None:
        """Let the reaper exit; it first ends the services that still run."""
        os.close(self.descriptor)
        self._process.wait()

    def _start(self) -> None:
        reading, self.descriptor = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", __file__, str(reading), str(self._grace)],
                stdin=subprocess.DEVNULL,
                # The reaper must not keep the supervisor's terminal or pipe open.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[reading, *self._held],
                start_new_session=True,
            )
        finally:
            os.close(reading)


def main(descriptor: int, grace: float) -> None:
    """Read registrations until the supervisor has exited, then end the services that still run."""
    # The supervisor handles these signals.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    with os.fdopen(descriptor, "rb") as pipe:
        lines = pipe.read().splitlines()
    services = {(int(pid), int(start)): int(stop) for pid, start, stop in (line.split() for line in lines)}
    stop_services(services, grace)


def stop_services(services: dict[tuple[int, int], int], grace: float) -> None:
    """Stop each service (pid, start) by its signal; after ``grace`` seconds kill it and its descendants."""
    trees = {service: descendants(service[0]) for service in services if is_running(*service)}
    for pid, start in trees:
        send_signal(pid, start, services[pid, start])
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(is_running(*process) for process in all_processes(trees)):
        time.sleep(0.05)
    for pid, start in trees:
        for process in descendants(pid) if is_running(pid, start) else ():
            send_signal(*process, signal.SIGKILL)
    for process in all_processes(trees):
        send_signal(*process, signal.SIGKILL)


def all_processes(trees: dict[tuple[int, int], list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Return the services and their descendants."""
    return [*trees, *(process for tree in trees.values() for process in tree)]


def send_signal(pid: int, start: int, number: int) -> None:
    """Signal a process unless its pid has been reused."""
    if is_running(pid, start):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def is_running(pid: int, start: int) -> bool:
    """Return whether this very process runs; a zombie does not."""
    try:
        state, _, started = stat(pid)
    except OSError:
        return False
    return started == start and state not in b"ZX"


def descendants(pid: int) -> list[tuple[int, int]]:
    """Return (pid, start) of all descendants of a process."""
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
    """Return (state, parent, start in clock ticks) of a process; OSError if it does not exist."""
    line = Path(f"/proc/{pid}/stat").read_bytes()
    fields = line[line.rindex(b")") + 2 :].split()
    return fields[0], int(fields[1]), int(fields[19])


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
