"""What a partition does beside its batches, kept running until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Background:
    """Runs a function again, after a growing pause, whenever it fails; ends when it returns."""

    def __init__(self, name: str, *, enabled: bool = True) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._stopped = not enabled

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a function from now on, in place of the one before; nothing once stopped."""
        self.cancel()
        if not self._stopped:
            self._task = asyncio.create_task(self._run(function), name=self._name)

    def cancel(self) -> None:
        """End what runs, without waiting for it."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Stop for good and wait for the end."""
        self._stopped = True
        self.cancel()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, function: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await function()
            except Exception:
                log.exception("%s failed; again in %.1f s", self._name, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return
