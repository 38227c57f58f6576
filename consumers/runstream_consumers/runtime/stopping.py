"""Working until a process is asked to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

#: Seconds that work has to end in order after it was cancelled, until it is cancelled again.
_AGAIN_S = 5.0


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set from now on; for the main thread, in the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event, *, again_s: float = _AGAIN_S) -> None:
    """Do some work until it ends or ``stop`` is set, which cancels it; raises the errors of the work.

    It is cancelled again while it goes on: libraries drop a cancellation that arrives while their connection breaks.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        while not working.done():
            working.cancel()
            await asyncio.wait([working], timeout=again_s)
    if not working.cancelled():
        working.result()
