"""The rules by which writers and runs change state.

A writer
1. is ``pending`` until its first beat with a running training process: only its data is known.
2. runs from that beat on, and its silence is measured; the silence of others is not.
3. is presumed crashed after too long a silence in available time. Only the next beat with a running training process
   revokes this; data does not.
4. is closed permanently by its goodbye: later beats were sent before it.
5. takes its state from its exit only if it never beat, as the exit records. The exit of a writer that beats changes no
   state, and a beat or goodbye overrides the exit. So the state of a writer that beats depends on the heartbeat topic
   only, whatever was read of the other topics.
6. is ``preempting`` instead of ``running`` while its latest beat announces it. If it then fails, crashes or falls
   silent, it was ``preempted``.
Combinations that the table does not contain change nothing.

A run
7. is decided by its primary writers. If one is running, the run is ``running``; otherwise the newest decides that no
   other continues. The newest is the one whose first record was appended last, so a new primary reopens the run.
8. is decided by its workers if it has no primary: ``running`` while one is running, ``preempting`` while one is,
   ``pending`` while one is, then the worst of their ends. Shippers, forked children and commands never decide.
9. is decided as in 8 if its newest primary waits for all: by that primary and the workers of its attempt. These are the
   open ones, and those whose first record is nearer to its first than to that of an earlier primary.
10. ignores writers without a vote (setting ``x_update_finish_state``, or after ``detach()``). If none has a vote, it is
   ``running`` while one of its primaries and workers is, otherwise ``pending``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Protocol

from runstream_schemas.events import ExitState, Role


class State(Enum):
    """The state of a writer or a run."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    KILLED = "killed"
    PREEMPTING = "preempting"
    PREEMPTED = "preempted"


class Qualifier(Enum):
    """Additional information about a state."""

    #: Silent for longer than usual.
    STALE = "stale"
    #: Silent together with so many others that the connection to them is probably at fault.
    UNREACHABLE = "unreachable"
    #: The training process has ended, its shipper still delivers.
    FINISHING = "finishing"
    #: Concluded from silence; the end was not reported.
    PRESUMED = "presumed"


class Phase(Enum):
    """The phase of a writer."""

    NO_BEAT = "unheard"
    EXITED = "exited"
    RUNNING = "running"
    PRESUMED = "presumed"
    CLOSED = "closed"


class Trigger(Enum):
    """What can change the phase of a writer."""

    #: A beat with a running training process.
    BEAT = "beat"
    #: Silence beyond the limit.
    SILENCE = "silence"
    GOODBYE = "goodbye"
    #: The exit of a writer that never beat.
    EXIT = "exit"


TRANSITIONS: Mapping[tuple[Phase, Trigger], Phase] = {
    (Phase.NO_BEAT, Trigger.BEAT): Phase.RUNNING,
    (Phase.NO_BEAT, Trigger.GOODBYE): Phase.CLOSED,
    (Phase.NO_BEAT, Trigger.EXIT): Phase.EXITED,
    (Phase.EXITED, Trigger.BEAT): Phase.RUNNING,
    (Phase.EXITED, Trigger.GOODBYE): Phase.CLOSED,
    (Phase.RUNNING, Trigger.SILENCE): Phase.PRESUMED,
    (Phase.RUNNING, Trigger.GOODBYE): Phase.CLOSED,
    (Phase.PRESUMED, Trigger.BEAT): Phase.RUNNING,
    (Phase.PRESUMED, Trigger.GOODBYE): Phase.CLOSED,
}

#: The state of each reported end. An end that only a newer client knows is not treated as a good one.
END_STATES: Mapping[ExitState, State] = {
    ExitState.UNKNOWN: State.CRASHED,
    ExitState.FINISHED: State.FINISHED,
    ExitState.FAILED: State.FAILED,
    ExitState.CRASHED: State.CRASHED,
    ExitState.KILLED: State.KILLED,
    ExitState.PREEMPTED: State.PREEMPTED,
}

#: Ends that become a preemption if one was announced. A killed writer ended for another reason.
_UNCLEAN_ENDS = frozenset({State.CRASHED, State.FAILED})

#: States of writers that have not ended, in order of precedence for their run.
_OPEN_STATES = (State.RUNNING, State.PREEMPTING, State.PENDING)

#: From the best end to the worst.
_BEST_TO_WORST = (State.FINISHED, State.PREEMPTED, State.KILLED, State.FAILED, State.CRASHED)


def end_state(end: ExitState, *, preempting: bool) -> State:
    """Return the state of an ended writer; ``preempting`` if it had announced its preemption."""
    shown = END_STATES[end]
    return State.PREEMPTED if preempting and shown in _UNCLEAN_ENDS else shown


class StateVoter(Protocol):
    """A writer, as far as it decides the state of a run."""

    @property
    def id(self) -> bytes: ...  # noqa: D102
    @property
    def role(self) -> Role: ...  # noqa: D102
    @property
    def continues(self) -> frozenset[bytes]: ...  # noqa: D102
    @property
    def first(self) -> int: ...  # noqa: D102
    @property
    def decides(self) -> bool: ...  # noqa: D102
    @property
    def waits_for_all(self) -> bool: ...  # noqa: D102
    @property
    def state(self) -> State: ...  # noqa: D102
    @property
    def qualifiers(self) -> frozenset[Qualifier]: ...  # noqa: D102


QualifiedState = tuple[State, frozenset[Qualifier]]


def decide_run_state(writers: Iterable[StateVoter]) -> QualifiedState:
    """Return the state of a run, and the qualifiers that all deciding writers share."""
    found = [writer for writer in writers if writer.role in {Role.PRIMARY, Role.WORKER}]
    deciding = [writer for writer in found if writer.decides]
    if not deciding:
        return _state_without_votes(found)
    workers = [writer for writer in deciding if writer.role is Role.WORKER]
    primaries = [writer for writer in deciding if writer.role is Role.PRIMARY]
    if not primaries:
        return _state_of_all(workers)
    newest = _newest(primaries)
    if newest.waits_for_all:
        return _state_of_all([newest, *_workers_of_attempt(newest, primaries, workers)])
    for state in (State.RUNNING, State.PREEMPTING):
        if going_on := [writer for writer in primaries if writer.state is state]:
            return state, _shared(going_on)
    return newest.state, newest.qualifiers


def _newest(primaries: list[StateVoter]) -> StateVoter:
    continued = frozenset[bytes]().union(*(writer.continues for writer in primaries))
    candidates = [writer for writer in primaries if writer.id not in continued] or primaries
    return max(candidates, key=lambda writer: (writer.first, writer.id))


def _workers_of_attempt(newest: StateVoter, primaries: list[StateVoter], workers: list[StateVoter]) -> list[StateVoter]:
    def came_with_it(worker: StateVoter) -> bool:
        return min(primaries, key=lambda primary: (abs(primary.first - worker.first), -primary.first)) is newest

    return [worker for worker in workers if worker.state in _OPEN_STATES or came_with_it(worker)]


def _state_of_all(writers: list[StateVoter]) -> QualifiedState:
    for state in _OPEN_STATES:
        if found := [writer for writer in writers if writer.state is state]:
            return state, _shared(found)
    worst = max((writer.state for writer in writers), key=_BEST_TO_WORST.index)
    return worst, _shared([writer for writer in writers if writer.state is worst])


def _state_without_votes(writers: list[StateVoter]) -> QualifiedState:
    if running := [writer for writer in writers if writer.state is State.RUNNING]:
        return State.RUNNING, _shared(running)
    return State.PENDING, frozenset()


def _shared(writers: list[StateVoter]) -> frozenset[Qualifier]:
    return frozenset.intersection(*(writer.qualifiers for writer in writers))
