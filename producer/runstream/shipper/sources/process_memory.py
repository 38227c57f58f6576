"""The memory of a training process and its children, in which memory that they share counts once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

#: The largest share of time spent on measuring: the kernel walks all pages of a process.
_SHARE = 0.01


class ProcessMemory:
    """Measures processes by their proportional set size (PSS), which counts a page shared by n processes as 1/n.

    Of a process whose PSS cannot be read, the resident memory counts, without files and shared memory, which are added
    once for all of them. ``timer`` measures how long a measurement takes: a slow one is made less often.
    """

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._due = float("-inf")
        self._bytes = 0.0

    def used(self, processes: Iterable[psutil.Process], now: float) -> float:
        """Return the bytes used by processes; the previous answer if measuring again would take too much time."""
        if now >= self._due:
            started = self._timer()
            self._bytes = self._measure(list(processes))
            self._due = now + (self._timer() - started) / _SHARE
        return self._bytes

    def _measure(self, processes: list[psutil.Process]) -> float:
        total = most_shared = 0.0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                try:
                    total += process.memory_full_info().pss
                except (psutil.AccessDenied, OSError, ValueError):
                    memory = process.memory_info()
                    total += max(memory.rss - memory.shared, 0)
                    most_shared = max(most_shared, memory.shared)
        return total + most_shared
