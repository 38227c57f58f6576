"""Background work of a partition."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runstream_consumers.runtime.consuming.background import Background
from tests.polling import eventually_async

if TYPE_CHECKING:
    import pytest


async def test_a_failing_function_is_restarted_until_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is logged, and the function runs again."""
    done = asyncio.Event()
    runs: list[int] = []

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) == 1:
            raise OSError("no broker")
        done.set()

    background = Background("ticker")
    background.start(work)
    await asyncio.wait_for(done.wait(), 5)
    await background.stop()
    assert runs == [0, 1]
    assert "ticker failed" in caplog.text


async def test_a_cancellation_from_within_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """A function that ends because something it awaited was cancelled is logged and run again."""
    done = asyncio.Event()

    async def work() -> None:
        if not caplog.records:
            raise asyncio.CancelledError
        done.set()

    background = Background("ticker")
    background.start(work)
    await asyncio.wait_for(done.wait(), 5)
    await background.stop()
    assert "ticker failed 1 times in a row" in caplog.text


async def test_start_and_stop_end_the_previous_function() -> None:
    """At most one function runs at a time, and none after the stop."""
    running: set[str] = set()

    async def work(name: str) -> None:
        running.add(name)
        try:
            await asyncio.Event().wait()
        finally:
            running.discard(name)

    async def only(name: str) -> bool:
        return running == {name}

    background = Background("ticker")
    background.start(lambda: work("first"))
    await eventually_async(lambda: only("first"), within=120)
    background.start(lambda: work("second"))
    await eventually_async(lambda: only("second"), within=120)
    await background.stop()
    background.start(lambda: work("third"))
    assert running == set()
