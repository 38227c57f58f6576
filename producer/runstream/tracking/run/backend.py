"""What stands behind a run once it has begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.terminal.terminal import Terminal
    from runstream.tracking.run.recorder import Recorder
    from runstream.tracking.run.run import Run
    from runstream.tracking.startup.identity import Identity


def _as_it_was(identity: Identity) -> Identity:
    return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBackend:
    """The parts that a run hands everything on to."""

    #: Takes what is logged.
    recorder: Recorder
    #: Names of the run.
    identity: Identity
    #: Where warnings go.
    terminal: Terminal
    #: Where the run keeps its files; empty for a disabled run.
    folder: str
    #: Seconds since 1970.
    started: float
    #: Called once the run is finished.
    ended: Callable[[Run], None]
    #: Completes the names by what the server said since.
    learn: Callable[[Identity], Identity] = _as_it_was
    #: Whether the run carries on an earlier one.
    resumed: bool = False
    #: The step that the first row without one gets.
    starting_step: int = 0
