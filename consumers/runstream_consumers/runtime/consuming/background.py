"""A partition's background work, which runs until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Background:
    """Runs a function until it returns, and again after a growing pause if it fails; each failure is logged."""

    def __init__(self, name: str, *, enabled: bool = True) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._stopped = not enabled

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a function instead of the previous one; do nothing once stopped."""
        self.cancel()
        if not self._stopped:
            self._task = asyncio.create_task(self._run(function), name=self._name)

    def cancel(self) -> None:
        """Cancel the function without waiting for its end."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Stop permanently, and wait for the end of the function."""
        self._stopped = True
        self.cancel()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        pause, failures = _FIRST_PAUSE, 0
        while True:
            try:
                await function()
            except (Exception, asyncio.CancelledError):
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # A CancelledError that nobody requested of this task is a failure like any other.
                failures += 1
                log.exception("%s failed %d times in a row; restarting in %.1f s", self._name, failures, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return
