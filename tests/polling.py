"""Waiting for conditions by polling with a deadline, never by sleeping for a fixed time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within: float = 30.0, every: float = 0.05) -> T:
    """Call ``check`` until it returns a true value; return that value.

    Args:
        check: Called at least once. An AssertionError is like a false value.
        within: Seconds until the deadline.
        every: Seconds between calls.

    Raises:
        AssertionError: The deadline passed. The message has the last error.
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
            raise AssertionError(_timeout_message(check, within, problem)) from problem
        time.sleep(every)


async def eventually_async(check: Callable[[], Awaitable[T]], *, within: float = 30.0, every: float = 0.05) -> T:
    """Await ``check`` until it returns a true value; return that value. See :func:`eventually`."""
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
            raise AssertionError(_timeout_message(check, within, problem)) from problem
        await asyncio.sleep(every)


def _timeout_message(check: Callable[[], object], within: float, problem: AssertionError | None) -> str:
    name = getattr(check, "__qualname__", repr(check))
    return f"{name} was not true within {within} s: {problem or 'it returned a false value'}"
