"""What MLflow stores of a run, from whichever store it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run without its metrics; times are in milliseconds since 1970, 0 if unknown."""

    run_id: str
    experiment: str
    name: str = ""
    user: str = ""
    status: str = ""
    started: int = 0
    ended: int = 0
    deleted: bool = False
    artifact_uri: str = ""
    #: Changes with the metrics.
    digest: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a metric; the time is in milliseconds since 1970."""

    step: int
    time: int
    key: str
    value: float


@dataclass(frozen=True, slots=True)
class UnreadablePart:
    """A run, or a file of one, that cannot be read."""

    place: str
    reason: str


class Store(Protocol):
    """A store of runs."""

    def runs(self) -> Iterable[StoredRun | UnreadablePart]:
        """Return the runs, in any order."""

    def points(self, run_id: str) -> Iterator[Point | UnreadablePart]:
        """Yield the points of a run, in the order of step, time, key and value."""
