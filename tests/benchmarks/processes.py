"""Costs of processes: CPU seconds and memory, as counted by the kernel."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat after the name, counted from 0.
_PARENT, _USER, _SYSTEM = 1, 11, 12


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far; 0 if it has exited."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = _stat(pid)
        return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK
    return 0.0


def peak_memory(pid: int | str = "self") -> float:
    """Return the peak memory of a process in MiB."""
    return _status(pid, "VmHWM")


def proportional_memory(pid: int) -> float:
    """Return the memory of a process in MiB; shared pages are divided among the processes that share them."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                children.setdefault(int(_stat(int(entry.name))[_PARENT]), []).append(int(entry.name))
    found, rest = [], [pid]
    while rest:
        found.append(current := rest.pop())
        rest += children.get(current, [])
    return found


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _status(pid: int | str, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0
