"""Background tasks report their errors, and expected errors are retried."""

from __future__ import annotations

import asyncio

import pytest

from runstream.shipper.background import BackgroundTasks, retry


async def fail() -> None:
    """End with an error."""
    raise RuntimeError("broken")


async def wait() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


async def test_error_is_reported() -> None:
    """The owner learns which task ended with which error."""
    reported: list[tuple[str, str]] = []
    failed = asyncio.Event()

    def note(name: str, error: Exception) -> None:
        reported.append((name, str(error)))
        failed.set()

    tasks = BackgroundTasks(note)
    tasks.start("work", fail())
    await failed.wait()

    assert reported == [("work", "broken")]


async def test_closing_is_not_a_failure() -> None:
    """Tasks that return or are cancelled are not reported."""
    reported: list[str] = []
    tasks = BackgroundTasks(lambda name, _: reported.append(name))
    tasks.start("waits", wait())
    tasks.start("returns", asyncio.sleep(0))
    await asyncio.sleep(0)
    await tasks.close()

    assert reported == []


async def test_expected_errors_are_retried() -> None:
    """An attempt is repeated until it succeeds."""
    attempts = iter([OSError("full"), OSError("still full"), None])

    async def attempt() -> str:
        if (error := next(attempts)) is not None:
            raise error
        return "done"

    assert await retry(attempt, OSError, first_s=0.0, longest_s=0.0, problem="cannot write") == "done"


async def test_other_errors_are_raised() -> None:
    """An unexpected error is not retried."""
    with pytest.raises(RuntimeError, match="broken"):
        await retry(fail, OSError, first_s=0.0, longest_s=0.0, problem="cannot write")
