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
11. has the state that a command set, whatever the writers do that the command names: they no longer decide. The first
   primary or worker that it does not name decides again, by the rules above, alone. Of two commands, the one with the
   greater offset is in force. Without processes, such as a run that was created through the API, the state stays set.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from runstream_schemas.events import ExitState, RunState

#: The state of a writer or a run.
State = RunState


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


QualifiedState = tuple[State, frozenset[Qualifier]]


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

#: Ends that become a preemption if one was announced. A killed writer ended for another reason.
_UNCLEAN_ENDS = frozenset({State.CRASHED, State.FAILED})


def end_state(end: ExitState, *, preempting: bool) -> State:
    """Return the state of an ended writer; ``preempting`` if it had announced its preemption."""
    # An end that only a newer client knows is not treated as a good one.
    shown = State.CRASHED if end is ExitState.UNKNOWN else State(end.value)
    return State.PREEMPTED if preempting and shown in _UNCLEAN_ENDS else shown
