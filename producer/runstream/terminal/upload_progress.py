"""How far uploads are, as text: what is left, at which rate, and for how long."""

from __future__ import annotations

import time
from collections import deque

#: Seconds over which the rate is an average, and how long a rate must be measured to be shown.
_WINDOW_S = 10.0
_LEAST_S = 1.0


class UploadProgress:
    """Keeps what was sent during the last seconds."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, int]] = deque()

    def text(self, files: int, size: int, sent: int, now: float | None = None) -> str:
        """Return what is left, such as ``3 files (1.2 GB, 80.1 MB/s, 15 seconds left)``; an empty text if nothing is.

        ``sent`` is the number of bytes sent so far by the same process, ``now`` a monotonic clock.
        """
        if not files:
            return ""
        from humanize import naturalsize, precisedelta  # noqa: PLC0415 - only where a run waits

        now = time.monotonic() if now is None else now
        self._add(now, sent)
        parts = [naturalsize(size)]
        before, first = self._sent[0]
        rate = (sent - first) / (now - before) if now - before >= _LEAST_S else 0.0
        if rate > 0:
            parts += [f"{naturalsize(rate)}/s", f"{precisedelta(max(round(size / rate), 1), format='%d')} left"]
        return f"{files:,} {'file' if files == 1 else 'files'} ({', '.join(parts)})"

    def _add(self, now: float, sent: int) -> None:
        if self._sent and sent < self._sent[-1][1]:
            self._sent.clear()  # another shipper
        self._sent.append((now, sent))
        while now - self._sent[0][0] > _WINDOW_S:
            self._sent.popleft()
