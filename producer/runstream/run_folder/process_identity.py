"""What identifies a process across pid reuse, reboots and machines."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

#: Fields of ``/proc/PID/stat`` after the process name, counted from 0.
STAT_STATE, STAT_START, STAT_STACK, STAT_EXIT_CODE = 0, 19, 25, 49


@dataclass(frozen=True, slots=True)
class Host:
    """A machine and its current boot."""

    name: str
    boot_id: str

    @classmethod
    def here(cls) -> Host:
        """Return the machine on which this process runs; ``boot_id`` is empty if the kernel does not provide one."""
        try:
            boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            boot_id = ""
        return cls(socket.gethostname(), boot_id)


def process_start(pid: int) -> int | None:
    """Return when a process started, in clock ticks after boot, or None if there is no such process."""
    fields = process_stat(pid)
    return None if fields is None else int(fields[STAT_START])


def process_image(pid: int) -> int | None:
    """Return what identifies the program that a process executes; None if it is not known, as of another user's.

    It is where the stack begins, which is chosen at random when a program is executed, and is the same in forked
    children. Process id and start time stay the same when a process executes another program.
    """
    fields = process_stat(pid)
    return None if fields is None or len(fields) <= STAT_STACK else int(fields[STAT_STACK]) or None


def process_stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/PID/stat`` after the process name, or None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None
    return text[text.rindex(")") + 2 :].split()
