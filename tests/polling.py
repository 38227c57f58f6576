"""Waiting for conditions by polling with a deadline, never by sleeping for a fixed time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within: float = 120, every: float = 0.05) -> T:
    """Call ``check`` until it returns a true value; return that value.

    Args:
        check: Called at least once. An AssertionError is like a false value.
        within: Seconds until the deadline.
        every: Seconds between calls.

    Raises:
        AssertionError: The deadline passed. The message has the last error.
    """
    deadline = _Deadline(check, within)
    while True:
        try:
            if value := check():
                return value
        except AssertionError as error:
            deadline.problem = error
        deadline.enforce()
        time.sleep(every)


async def eventually_async(check: Callable[[], Awaitable[T]], *, within: float = 120, every: float = 0.05) -> T:
    """Await ``check`` until it returns a true value; return that value. See :func:`eventually`."""
    deadline = _Deadline(check, within)
    while True:
        try:
            if value := await check():
                return value
        except AssertionError as error:
            deadline.problem = error
        deadline.enforce()
        await asyncio.sleep(every)


class _Deadline:
    def __init__(self, check: Callable[[], object], within: float) -> None:
        self._name = getattr(check, "__qualname__", repr(check))
        self._within = within
        self._at = time.monotonic() + within
        #: The latest error of the check.
        self.problem: AssertionError | None = None

    def enforce(self) -> None:
        """Raise AssertionError if the deadline has passed."""
        if time.monotonic() >= self._at:
            found = self.problem or "it returned a false value"
            raise AssertionError(f"{self._name} was not true within {self._within} s: {found}") from self.problem
