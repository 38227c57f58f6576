"""A line that shows how far a download or an upload is, if it takes more than a second."""

from __future__ import annotations

import threading
import time
from typing import Self

from runstream.terminal.terminal import Terminal

_QUIET_S, _PAUSE_S = 1.0, 0.2


class TransferProgress:
    """Shows bytes, rate and remaining time on a terminal. Safe with threads.

    Nothing is shown during the first ``quiet_s`` seconds.
    """

    def __init__(self, name: str, total: int, *, doing: str = "Downloading", quiet_s: float = _QUIET_S) -> None:
        self._name = name
        self._doing = doing
        self._total = total
        self._done = 0
        self._terminal = Terminal()
        self._started = time.monotonic()
        self._next = self._started + quiet_s
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Note that so many bytes have been transferred."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now < self._next or not self._terminal.replaces_lines:
                return
            self._next = now + _PAUSE_S
            self._terminal.progress(self._text(now - self._started))

    def _text(self, elapsed_s: float) -> str:
        from humanize import naturalsize, precisedelta  # noqa: PLC0415 - only for transfers that take long

        rate = self._done / elapsed_s if elapsed_s else 0.0
        left_s = int(max(self._total - self._done, 0) / rate) if rate else 0
        return (
            f"{self._doing} {self._name}: {naturalsize(self._done)} of {naturalsize(self._total)}, "
            f"{naturalsize(rate)}/s, {precisedelta(left_s)} left"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.end_progress()
