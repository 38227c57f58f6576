"""Processes that outlive the test session, found by an environment variable that every child inherits."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from runstream_deploy.processes.reaper import is_running, stat

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "TEST_SESSION_MARK"


def marked(mark: str) -> list[tuple[int, int]]:
    """Return (pid, start) of all other processes with the mark in their environment."""
    return [process for process in _processes() if _has_mark(process[0], mark)]


def describe(processes: list[tuple[int, int]]) -> list[str]:
    """Return the command lines of those processes that are still running."""
    return [_arguments(pid) for pid, start in processes if is_running(pid, start)]


def _processes() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                yield int(entry.name), stat(int(entry.name))[2]


def _has_mark(pid: int, mark: str) -> bool:
    try:
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
