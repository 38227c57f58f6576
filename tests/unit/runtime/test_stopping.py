"""Work is done until it ends or its process is asked to stop."""

from __future__ import annotations

import asyncio

import pytest

from runstream_consumers.runtime.stopping import until_stopped


async def test_work_that_drops_a_cancellation_is_ended() -> None:
    """It is cancelled again: libraries drop a cancellation that arrives while their connection breaks."""
    stop, dropped = asyncio.Event(), 0

    async def work() -> None:
        nonlocal dropped
        stop.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                dropped += 1
                if dropped > 2:
                    raise

    async with asyncio.timeout(60):
        await until_stopped(work(), stop, again_s=0.01)
    assert dropped == 3


async def test_the_errors_of_work_are_raised() -> None:
    """Also those of its end after a cancellation."""

    async def failing() -> None:
        raise ValueError("work")

    async def ending() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("end")

    stopped = asyncio.Event()
    with pytest.raises(ValueError, match="work"):
        await until_stopped(failing(), stopped)
    stopped.set()
    with pytest.raises(ValueError, match="end"):
        await until_stopped(ending(), stopped)
