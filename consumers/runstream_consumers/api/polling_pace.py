"""Polling intervals of shippers, which grow with their number so that the API is not overloaded."""

from __future__ import annotations

from collections.abc import Hashable


class PollingPace:
    """Assigns polling intervals, in seconds, that limit the total rate of requests per second."""

    def __init__(self, rate: float = 50.0, shortest: float = 1.0, longest: float = 15.0) -> None:
        self._rate = rate
        self._shortest = shortest
        self._longest = longest
        #: The clients of the current window, the number of clients of the previous one, and when the window began.
        self._clients: set[Hashable] = set()
        self._previous = 0
        self._began = 0.0

    def interval(self, client: Hashable, now: float) -> float:
        """Return the number of seconds after which a client should poll again; ``now`` is monotonic seconds."""
        if now - self._began >= self._longest:
            self._previous = len(self._clients) if now - self._began < 2 * self._longest else 0
            self._clients = set()
            self._began = now
        self._clients.add(client)
        known = max(self._previous, len(self._clients))
        return min(max(known / self._rate, self._shortest), self._longest)
