"""How often shippers should ask, so that many of them do not keep the API busy."""

from __future__ import annotations

from collections.abc import Hashable


class Pace:
    """Spreads questions over time: a second apart where few ask, further apart where many do.

    Args:
        rate: Questions a second that are fine.
        shortest: Seconds between two questions of one who asks, at least.
        longest: The same at most.
    """

    def __init__(self, rate: float = 50.0, shortest: float = 1.0, longest: float = 15.0) -> None:
        self._rate = rate
        self._shortest = shortest
        self._longest = longest
        #: Who asked since the window began, how many did in the window before, and when it began.
        self._asking: set[Hashable] = set()
        self._before = 0
        self._began = 0.0

    def ask(self, who: Hashable, now: float) -> float:
        """Note who asks; return after how many seconds to ask the next time.

        Args:
            who: Whatever tells one from another.
            now: Seconds, of a clock that does not jump.
        """
        if now - self._began >= self._longest:
            self._before = len(self._asking) if now - self._began < 2 * self._longest else 0
            self._asking = set()
            self._began = now
        self._asking.add(who)
        known = max(self._before, len(self._asking))
        return min(max(known / self._rate, self._shortest), self._longest)
