"""A line that shows how far a download is, if it takes more than a second."""

from __future__ import annotations

import threading
import time
from typing import Self

from humanize import naturalsize, precisedelta

from runstream.terminal.terminal import Terminal

_QUIET_S, _PAUSE_S = 1.0, 0.2


class TransferProgress:
    """Shows bytes, rate and remaining time on a terminal. Safe with threads."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._done = 0
        self._terminal = Terminal()
        self._started = self._shown = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Note that so many bytes have arrived."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._started < _QUIET_S or now - self._shown < _PAUSE_S or not self._terminal.replaces_lines:
                return
            self._shown = now
            self._terminal.progress(self._text(now - self._started))

    def _text(self, elapsed_s: float) -> str:
        rate = self._done / elapsed_s
        left_s = int(max(self._total - self._done, 0) / rate) if rate else 0
        return (
            f"Downloading {self._name}: {naturalsize(self._done)} of {naturalsize(self._total)}, "
            f"{naturalsize(rate)}/s, {precisedelta(left_s)} left"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._terminal.end_progress()
