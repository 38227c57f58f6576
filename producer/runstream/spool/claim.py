"""The right of one thread at a time to append.

A claim is an assignment to an attribute, right behind a comparison: CPython switches threads and handles signals at
calls, function starts and backward jumps only, so nothing comes in between. A lock would cost a tenth of an append.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import FrameType, TracebackType

#: In place of a thread that claims for one row: it has a local variable ``claimed`` that is what it claims.
LOGGING = -1
#: While another thread appends, which takes a microsecond, or gets a new segment.
_WAIT_S = 2e-5


class Claimed(Protocol):
    """What can be claimed."""

    #: The thread that has it, 0 for none, LOGGING for one that is in the middle of a row.
    claimed_by: int


class Claim:
    """A context in which one thread has the right; a thread that has it may take it again.

    Args:
        writer: What is claimed.
        within_s: Longest wait for another thread, in seconds.

    Raises:
        TimeoutError: Another thread kept it for so long.
    """

    def __init__(self, writer: Claimed, within_s: float = math.inf) -> None:
        self._writer = writer
        self._within_s = within_s
        self._before = 0

    def __enter__(self) -> None:
        writer, this = self._writer, threading.get_ident()
        if writer.claimed_by == this or (writer.claimed_by == LOGGING and _interrupts(writer)):
            self._before = writer.claimed_by
            return
        deadline = time.monotonic() + self._within_s
        while writer.claimed_by:
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_WAIT_S)
        # No call since the comparison, so no other thread came in between.
        writer.claimed_by = this

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.claimed_by = self._before


def _interrupts(writer: Claimed) -> bool:
    """Tell whether this thread itself is in the middle of a row, which a signal handler interrupted."""
    # The only way to ask, and cheaper here than a thread's id in every row.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if frame.f_locals.get("claimed") is writer:
            return True
        frame = frame.f_back
    return False
