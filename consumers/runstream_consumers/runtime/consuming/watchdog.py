"""Detects that messages are available but not read, which Kafka's client does not report. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound="Hashable")


@dataclass(slots=True)
class Watchdog(Generic[Key]):
    """Knows since when each position below its end has not moved."""

    #: Seconds for which a position may stay the same while there are messages to read.
    patience: float
    _since: dict[Key, tuple[int, float]] = field(default_factory=dict)

    def observe(self, now: float, positions: Mapping[Key, int], ends: Mapping[Key, int]) -> Sequence[Key]:
        """Return the positions that have not moved for longer than ``patience``; ``now`` is monotonic seconds."""
        waiting = {key: position for key, position in positions.items() if position < ends.get(key, position)}
        self._since = {
            key: self._since[key] if self._since.get(key, (-1, 0.0))[0] == position else (position, now)
            for key, position in waiting.items()
        }
        return [key for key, (_, since) in self._since.items() if now - since > self.patience]

    def forget(self) -> None:
        """Start over, for example because nothing could be read for a known reason."""
        self._since.clear()
