"""Whose messages wait: a run that has used its share of a partition's time lets the other runs go first. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from runstream_schemas.topics import RunPath


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """CPU seconds of decoding after which messages of a batch are deferred; none are by default."""

    #: Of one run: its further messages are deferred.
    run: float = math.inf
    #: Of all runs: large messages are deferred. Several runs may belong to one user.
    batch: float = math.inf
    #: The least size of a large message, bytes.
    large: int = 64 * 1024


@dataclass(slots=True)
class Shares:
    """The time that the messages of one batch have used."""

    limits: ShareLimits
    _used: dict[RunPath, float] = field(default_factory=dict)
    _total: float = 0.0
    #: Whether some messages have to wait.
    is_exceeded: bool = False

    def charge(self, run: RunPath, seconds: float) -> None:
        """Count the time that a message of a run has used."""
        used = self._used[run] = self._used.get(run, 0.0) + seconds
        self._total += seconds
        self.is_exceeded = self.is_exceeded or used > self.limits.run or self._total > self.limits.batch

    def must_wait(self, run: RunPath, size: int) -> bool:
        """Return whether a message of a run has to wait for its turn."""
        if self._used.get(run, 0.0) > self.limits.run:
            return True
        return self._total > self.limits.batch and size >= self.limits.large
