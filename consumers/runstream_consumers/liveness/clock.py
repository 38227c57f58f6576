"""The clock of a partition: available time, during which records could be appended to it."""

from __future__ import annotations

from dataclasses import dataclass

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of silence; microseconds of available time."""

    #: The most that one interval without ticks adds.
    gap: int = 15 * _SECOND
    stale: int = 60 * _SECOND
    crashed: int = 300 * _SECOND
    #: Runs that fall silent within this time of each other are judged together.
    together: int = 60 * _SECOND
    #: Silence after which even an unreachable writer is presumed crashed.
    unreachable: int = 1800 * _SECOND
    #: At least this many runs, and this share of the runs with a running writer, do not crash at once.
    mass: int = 3
    share: float = 0.3

    @property
    def silent_together(self) -> tuple[int, int]:
        """The shortest and the longest silence of runs that are judged together with one that is due."""
        return self.crashed - self.together, self.crashed + self.together

    @classmethod
    def from_seconds(
        cls, *, tick: float, stale: float, crashed: float, mass: int = 3, share: float = 0.3
    ) -> Thresholds:
        """Return the thresholds for the tick interval and limits of silence in the settings, seconds."""
        return cls(
            gap=round(3 * tick * _SECOND),
            stale=round(stale * _SECOND),
            crashed=round(crashed * _SECOND),
            together=round(crashed / 5 * _SECOND),
            unreachable=round(crashed * 6 * _SECOND),
            mass=mass,
            share=share,
        )


@dataclass(slots=True, kw_only=True)
class Clock:
    """The available time of a partition."""

    #: Microseconds during which records could be appended.
    available: int = 0
    #: Append time of the latest tick, microseconds since 1970; None before the first.
    ticked: int | None = None
    #: Number of the latest tick.
    number: int = -1
    #: Ticks that were skipped: without a valid signature, or not newer than the latest.
    refused: int = 0

    def tick(self, time: int, gap: int) -> None:
        """Advance to the append time of a tick, by at most ``gap``; a clock that moves backwards adds nothing."""
        if self.ticked is None:
            self.ticked = time
        self.available += min(max(time - self.ticked, 0), gap)
        self.ticked = max(self.ticked, time)


def seconds(duration: int) -> str:
    """Return a duration in microseconds as text."""
    return f"{duration / _SECOND:.0f} s"
