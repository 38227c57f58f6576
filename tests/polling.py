"""Waiting for what becomes true: by looking again until a deadline, never by sleeping for a fixed time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within: float = 30.0, every: float = 0.05) -> T:
    """Call ``check`` until it returns something true and return that.

    Args:
        check: May raise AssertionError, which counts as not yet.
        within: Seconds until the deadline; it is called at least once.
        every: Seconds between calls.

    Raises:
        AssertionError: the deadline passed; carries the last problem.
    """
    deadline = time.monotonic() + within
    while True:
        problem: AssertionError | None = None
        try:
            value = check()
        except AssertionError as error:
            problem = error
        else:
            if value:
                return value
        if time.monotonic() >= deadline:
            raise AssertionError(_told(check, within, problem)) from problem
        time.sleep(every)


async def eventually_async(check: Callable[[], Awaitable[T]], *, within: float = 30.0, every: float = 0.05) -> T:
    """Await ``check`` until it returns something true and return that; see ``eventually``."""
    deadline = time.monotonic() + within
    while True:
        problem: AssertionError | None = None
        try:
            value = await check()
        except AssertionError as error:
            problem = error
        else:
            if value:
                return value
        if time.monotonic() >= deadline:
            raise AssertionError(_told(check, within, problem)) from problem
        await asyncio.sleep(every)


def _told(check: Callable[[], object], within: float, problem: AssertionError | None) -> str:
    name = getattr(check, "__qualname__", repr(check))
    return f"{name} did not come true within {within} s: {problem or 'it returned nothing true'}"
