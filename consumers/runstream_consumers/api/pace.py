"""How often shippers should ask, so that many of them do not keep the API busy."""

from __future__ import annotations


class Pace:
    """Spreads questions over time: a second apart for few who ask, further apart for many.

    Args:
        rate: Questions a second that are fine.
        shortest: Seconds between two questions of one who asks, at least.
        longest: The same at most.
    """

    def __init__(self, rate: float = 50.0, shortest: float = 1.0, longest: float = 15.0) -> None:
        self._rate = rate
        self._shortest = shortest
        self._longest = longest
        self._window = 0.0
        self._asked = 0
        self.interval = shortest

    def ask(self, now: float) -> float:
        """Count a question; return after how many seconds to ask the next.

        Args:
            now: Seconds, of a clock that does not jump.
        """
        passed = now - self._window
        if passed >= 1.0:
            wanted = self.interval * self._asked / (passed * self._rate)
            self.interval = min(max(wanted, self._shortest), self._longest)
            self._window, self._asked = now, 0
        self._asked += 1
        return self.interval
