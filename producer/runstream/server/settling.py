"""Waiting until consumers have stored a change that the server has accepted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runstream.exceptions import CommError

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S, _PAUSE_S = 30.0, 0.1


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until a change is visible; raises CommError, which names it, after a while."""
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() >= deadline:
            raise CommError(f"The request to {what} is stored, but its consumer is late: look again later")
        time.sleep(_PAUSE_S)
