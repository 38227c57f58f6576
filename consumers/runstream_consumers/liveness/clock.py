"""The clock of a partition: available time, in which a record could be appended to it."""

from __future__ import annotations

from dataclasses import dataclass

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How long is too long; microseconds of available time."""

    #: What one interval without ticks adds at most.
    gap: int = 15 * _SECOND
    stale: int = 60 * _SECOND
    crashed: int = 300 * _SECOND
    #: Runs that fall silent within this time of each other are looked at together.
    together: int = 60 * _SECOND
    #: Silence after which even an unreachable writer is presumed crashed.
    unreachable: int = 1800 * _SECOND
    #: So many runs, and so great a share of those with a writer on the clock, do not crash at once.
    mass: int = 20
    share: float = 0.3

    @classmethod
    def from_seconds(cls, *, tick: float, stale: float, crashed: float) -> Thresholds:
        """Return the thresholds for the seconds that a server is set to: tick interval and times of silence."""
        return cls(
            gap=round(3 * tick * _SECOND),
            stale=round(stale * _SECOND),
            crashed=round(crashed * _SECOND),
            together=round(crashed / 5 * _SECOND),
            unreachable=round(crashed * 6 * _SECOND),
        )


@dataclass(slots=True, kw_only=True)
class Clock:
    """The available time of a partition."""

    #: Microseconds in which the path was open.
    available: int = 0
    #: Append time of the latest tick, microseconds since 1970; None before the first.
    ticked: int | None = None
    #: Number of the latest tick.
    number: int = -1
    #: Ticks that were passed over: not signed, signed wrongly, or not newer than the latest.
    refused: int = 0

    def tick(self, time: int, gap: int) -> None:
        """Move on to the append time of a tick, by at most ``gap``; time that runs backwards adds nothing."""
        if self.ticked is None:
            self.ticked = time
        self.available += min(max(time - self.ticked, 0), gap)
        self.ticked = max(self.ticked, time)


def seconds(duration: int) -> str:
    """Return a duration in microseconds for people to read."""
    return f"{duration / _SECOND:.0f} s"
