"""Keeps a library that repeats itself from filling the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SparseFilter(logging.Filter):
    """Lets a message of some logger, or of one below it, through once an interval; others as they are.

    Messages are the same when their text is, before arguments are put in: Kafka's client reports each of the ten
    attempts a second to reach a broker that is down.
    """

    def __init__(self, name: str, *, interval: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._prefix = f"{name}."
        self._interval = interval
        self._clock = clock
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to log a record."""
        if not f"{record.name}.".startswith(self._prefix):
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        if now - self._passed.get(key, -self._interval) < self._interval:
            return False
        self._passed[key] = now
        return True
