"""Limits how often a library may log the same message."""

from __future__ import annotations

import logging
from collections.abc import Callable


class SparseFilter(logging.Filter):
    """Passes each message of a logger and its descendants once per interval; other loggers are not limited.

    Messages with the same format string are the same. Kafka's client reports each of its ten attempts per second to
    reach a broker that is down.
    """

    def __init__(self, name: str, *, interval: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._prefix = f"{name}."
        self._interval = interval
        self._clock = clock
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        if not f"{record.name}.".startswith(self._prefix):
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        if now - self._passed.get(key, -self._interval) < self._interval:
            return False
        self._passed[key] = now
        return True
