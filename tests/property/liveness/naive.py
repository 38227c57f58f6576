"""A naive model of the heartbeat topic, which checks every writer at every tick, and of the state of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_consumers.liveness.rules import QualifiedState, State
from runstream_schemas.events import ExitEvent, ExitState, HeartbeatEvent, Kind, Role
from tests.property.liveness.logs import LIMITS, Placed, is_signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runstream_consumers.liveness.writer import TrackedWriter
    from runstream_schemas.topics import RunPath

_OPEN = (State.RUNNING, State.PREEMPTING, State.PENDING)
_PRECEDENCE = (*_OPEN, State.CRASHED, State.FAILED, State.KILLED, State.PREEMPTED, State.FINISHED)


@dataclass
class NaiveWriter:
    """A writer with the available time since its last beat, and its phase."""

    run: RunPath
    state: str = "unheard"
    number: int = -1
    silence: int = 0
    cut_off: bool = False
    preempting: bool = False
    decides: bool = True
    end: ExitState | None = None

    @property
    def on_the_clock(self) -> bool:
        """Whether its silence is counted."""
        return self.state == "running"


def naive(log: Iterable[Placed]) -> dict[bytes, NaiveWriter]:
    """Return the writers in a log of heartbeats."""
    writers: dict[bytes, NaiveWriter] = {}
    latest: int | None = None
    number = -1
    for placed in log:
        event = placed.event
        assert isinstance(event, HeartbeatEvent)
        if event.kind is Kind.TICK:
            if is_signed(event) and event.number > number:
                number = event.number
                passed = 0 if latest is None else min(max(placed.time - latest, 0), LIMITS.gap)
                latest = placed.time if latest is None else max(latest, placed.time)
                _pass(writers, passed, event)
            continue
        writer = writers.setdefault(event.writer.id, NaiveWriter(event.run))
        if event.kind is Kind.GOODBYE:
            if writer.state != "closed":
                writer.state = "closed"
                writer.decides = writer.decides and event.decides
                writer.end = None if event.ending is None else event.ending.state
        elif event.number > writer.number:
            writer.number = event.number
            _apply_beat(writer, event)
    return writers


def naive_states(log: Iterable[Placed], others: Iterable[Placed]) -> dict[bytes, State]:
    """Return the states of all writers: from the heartbeats, otherwise from the first exit if no beats were sent."""
    beating = naive(log)
    exits: dict[bytes, ExitEvent] = {}
    known = set(beating)
    for placed in others:
        known.add(placed.event.writer.id)
        if isinstance(placed.event, ExitEvent):
            exits.setdefault(placed.event.writer.id, placed.event)
    return {name: _shown(beating.get(name), exits.get(name)) for name in known}


def naive_votes(log: Iterable[Placed]) -> dict[bytes, bool]:
    """Return which of the writers that sent beats have a vote for the state of their run."""
    return {name: writer.decides for name, writer in naive(log).items() if writer.state != "unheard"}


def _shown(beating: NaiveWriter | None, exited: ExitEvent | None) -> State:
    state = "unheard" if beating is None else beating.state
    preempting = beating is not None and beating.preempting
    if state == "running":
        return State.PREEMPTING if preempting else State.RUNNING
    if state == "presumed":
        return State.PREEMPTED if preempting else State.CRASHED
    end = beating.end if beating is not None else None
    if state == "unheard":
        end = exited.ending.state if exited is not None and not exited.beats else None
        if end is None:
            return State.PENDING
    shown = State.CRASHED if end in (None, ExitState.UNKNOWN) else State(end.value)
    return State.PREEMPTED if preempting and shown in (State.CRASHED, State.FAILED) else shown


def _apply_beat(writer: NaiveWriter, event: HeartbeatEvent) -> None:
    if event.trainer_alive and writer.state in ("unheard", "presumed"):
        writer.state = "running"
    if writer.on_the_clock:
        writer.silence = 0
        writer.cut_off = False
        writer.preempting = event.preempting
        writer.decides = writer.decides and event.decides


def _pass(writers: dict[bytes, NaiveWriter], passed: int, tick: HeartbeatEvent) -> None:
    counted = [writer for writer in writers.values() if writer.on_the_clock]
    for writer in counted:
        writer.silence += passed
    silent = [writer for writer in counted if not writer.cut_off]
    together = [writer for writer in silent if writer.silence >= LIMITS.crashed - LIMITS.together]
    due = [writer for writer in silent if writer.silence >= LIMITS.crashed]
    presumed = [writer for writer in counted if writer.cut_off and writer.silence >= LIMITS.unreachable]
    runs, live = ({writer.run for writer in some} for some in (together, counted))
    many, all_live = max(len(runs), tick.silent_runs), max(len(live), tick.open_runs)
    if due and many >= LIMITS.mass and many >= LIMITS.share * all_live:
        for writer in together:
            writer.cut_off = True
    else:
        presumed += due
    for writer in presumed:
        writer.state = "presumed"


def naive_run_state(writers: Iterable[TrackedWriter]) -> QualifiedState:
    """Return the state of a run after looking at all of its writers."""
    found = [writer for writer in writers if writer.role in {Role.PRIMARY, Role.WORKER}]
    deciding = [writer for writer in found if writer.vote.decides]
    workers = [writer for writer in deciding if writer.role is Role.WORKER]
    primaries = [writer for writer in deciding if writer.role is Role.PRIMARY]
    if not primaries:
        return _leading(workers, _PRECEDENCE) if workers else _leading(found, [State.RUNNING])
    continued = {earlier for writer in primaries for earlier in writer.continues}
    candidates = [writer for writer in primaries if writer.id not in continued] or primaries
    newest = max(candidates, key=lambda writer: (writer.first, writer.id))
    if not newest.vote.waits_for_all:
        return _leading(primaries, [State.RUNNING, State.PREEMPTING], newest.qualified_state)
    starts = {writer.first for writer in primaries}

    def belongs(worker: TrackedWriter) -> bool:
        return newest.first == min(starts, key=lambda start: (abs(start - worker.first), -start))

    return _leading([newest, *(one for one in workers if one.state in _OPEN or belongs(one))], _PRECEDENCE)


def _leading(
    writers: Sequence[TrackedWriter],
    states: Sequence[State],
    otherwise: QualifiedState = (State.PENDING, frozenset()),
) -> QualifiedState:
    for state in states:
        if found := [writer.qualifiers for writer in writers if writer.state is state]:
            return state, frozenset.intersection(*found)
    return otherwise
