"""How many runs of all partitions are open and how many of them are silent, by which the mass guard decides."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from runstream_consumers.liveness import store
from runstream_consumers.liveness.clock import Thresholds
from runstream_consumers.runtime.plugin import Context


class RunCounts(NamedTuple):
    """Numbers of runs of all partitions."""

    #: Runs with a running writer; 0 if none of them is silent.
    open: int = 0
    #: Those whose silence is within the window of the mass guard.
    silent: int = 0


NO_SILENCE = RunCounts()


@dataclass(slots=True, kw_only=True)
class RunCounter:
    """Counts the runs that are stored; the partitions of a process share a count."""

    thresholds: Thresholds
    #: Seconds during which a count is reused.
    valid_s: float
    _counts: RunCounts = NO_SILENCE
    _counted_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def count(self, context: Context) -> RunCounts:
        """Return the counts; raises the errors of the database."""
        async with self._lock:
            if time.monotonic() - self._counted_at >= self.valid_s:
                async with context.connection() as connection:
                    opened, silent = await store.count_runs(connection, *self.thresholds.silent_together)
                self._counts = RunCounts(opened, silent) if silent else NO_SILENCE
                self._counted_at = time.monotonic()
            return self._counts
