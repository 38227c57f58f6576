"""The rules by which writers and runs change state: the one table of them.

A writer
1. is known by its data alone until its first beat with the trainer alive (unheard): it is ``pending``.
2. runs from that beat on, and is on the clock: silence is counted only for what has been heard.
3. is presumed crashed once it was silent for too long while the path was open. The next beat with the trainer alive
   takes that back; nothing else does, data least of all.
4. is closed by its goodbye, for good: later beats were on their way before it.
5. that never beat, as its exit says, takes its state from its exit. The exit of one that did changes no state; and
   where a beat or a goodbye comes all the same, it overrules the exit. So the state of whoever was heard follows from
   the heartbeat topic alone, however far the other topics are ahead or behind.
6. is ``preempting``, not ``running``, while its latest beat says so; what then ends in no order, or falls silent, was
   ``preempted``.
What the table does not name changes nothing.

A run
7. is decided by its primary writers. One that runs makes the run ``running``; else the newest one decides that no other
   continues, newest by the append time of its first record: a new primary reopens the run.
8. without a primary is decided by its workers: ``running`` while one runs, ``preempting`` while one is, ``pending``
   while one is pending, then the worst of their ends. Shippers, forked children and commands never decide.
9. whose newest primary waits for all is decided as in 8. by that primary and the workers that came with it: those that
   are open, and those whose first record is nearer to its first than to that of an earlier primary.
10. passes over who has no say (setting ``x_update_finish_state``, or after ``detach()``). Where nobody has one, the run
   is ``running`` while one of its primaries and workers runs, else ``pending``.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from runstream_schemas.events import ExitState, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class State(Enum):
    """What a writer or a run is shown as."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    KILLED = "killed"
    PREEMPTING = "preempting"
    PREEMPTED = "preempted"


class Qualifier(Enum):
    """What is said beside a state."""

    #: Silent for longer than usual.
    STALE = "stale"
    #: Silent together with so many others that the fault is taken to lie between us and them.
    UNREACHABLE = "unreachable"
    #: The trainer is gone, its shipper still delivers.
    FINISHING = "finishing"
    #: Concluded from silence; nobody has reported the end.
    PRESUMED = "presumed"


class Phase(Enum):
    """What is known of a writer."""

    NO_BEAT = "unheard"
    EXITED = "exited"
    RUNNING = "running"
    PRESUMED = "presumed"
    CLOSED = "closed"


class Trigger(Enum):
    """What can happen to a writer."""

    #: A beat with the trainer alive.
    BEAT = "beat"
    #: Too long a silence.
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

#: How an end is shown. An end that a newer client names in a way unknown here is not taken for a good one.
END_STATES: Mapping[ExitState, State] = {
    ExitState.UNKNOWN: State.CRASHED,
    ExitState.FINISHED: State.FINISHED,
    ExitState.FAILED: State.FAILED,
    ExitState.CRASHED: State.CRASHED,
    ExitState.KILLED: State.KILLED,
    ExitState.PREEMPTED: State.PREEMPTED,
}

#: Ends that are those of a preemption where one was announced. Whoever was killed was told to end for another reason.
_UNCLEAN_ENDS = frozenset({State.CRASHED, State.FAILED})

#: States of writers that are not over, from the one that says most of a run.
_OPEN_STATES = (State.RUNNING, State.PREEMPTING, State.PENDING)

#: From the best end to the worst.
_BEST_TO_WORST = (State.FINISHED, State.PREEMPTED, State.KILLED, State.FAILED, State.CRASHED)


def end_state(end: ExitState, *, preempting: bool) -> State:
    """Return how an end is shown; ``preempting``: the writer had announced that it was about to be preempted."""
    shown = END_STATES[end]
    return State.PREEMPTED if preempting and shown in _UNCLEAN_ENDS else shown


class StateVoter(Protocol):
    """What the state of a run is decided from: its writers."""

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
    """Return the state of a run and its qualifiers: those that all deciding writers share."""
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
