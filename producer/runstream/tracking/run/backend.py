"""The parts that a run delegates to once it has begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.terminal.terminal import Terminal
from runstream.tracking.run.identity import RunIdentity
from runstream.tracking.run.recorder import UnstartedRecorder
from runstream.tracking.values.encoder import DEFAULT_ENCODER, ValueEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.settings import Settings
    from runstream.tracking.run.recorder import DisabledRecorder
    from runstream.tracking.run.spool_recorder import SpoolRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBackend:
    """The parts that a run delegates to."""

    recorder: SpoolRecorder | DisabledRecorder
    identity: RunIdentity
    #: Encodes what is logged, set in the config and assigned in the summary.
    encoder: ValueEncoder = DEFAULT_ENCODER
    terminal: Terminal
    #: Folder for files of the run; empty if it has not begun.
    folder: str
    #: Seconds since 1970.
    started: float
    #: Called when the run is about to end, and once it has ended.
    before_end: Callable[[], None] = lambda: None
    after_end: Callable[[], None] = lambda: None
    #: Completes the names with what has become known since the start.
    refresh: Callable[[RunIdentity], RunIdentity] = lambda identity: identity
    #: Unpickles a run: called with settings, config and identity. None for a run that has not begun.
    revive: Callable[[Settings, dict[str, Any], RunIdentity], Any] | None = None
    resumed: bool = False
    #: The step of the first row that is logged without one.
    starting_step: int = 0


def unstarted_backend(settings: Settings, identity: RunIdentity | None = None) -> RunBackend:
    """Return the backend of a run that has not begun, which refuses to record."""
    return RunBackend(
        recorder=UnstartedRecorder(),
        identity=identity
        or RunIdentity(
            entity=settings.entity, project=settings.project, run_id=settings.run_id or "", name=settings.run_name or ""
        ),
        terminal=Terminal(silent=settings.silent, quiet=settings.quiet),
        folder="",
        started=0.0,
    )
