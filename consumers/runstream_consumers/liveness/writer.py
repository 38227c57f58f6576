"""The liveness consumer's records of writers, and of changes of state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from runstream_consumers.liveness.rules import Phase, QualifiedState, Qualifier, State, end_state
from runstream_schemas.events import Ending, ExitState, Role
from runstream_schemas.topics import RunPath

#: A smaller difference of clocks is not noted without a beat, microseconds.
_NOTED_US = 1_000_000
_NONE: frozenset[Qualifier] = frozenset()


class StateVote(NamedTuple):
    """Whether the end of a writer counts for the state of its run."""

    #: It counts.
    decides: bool = True
    #: Of a primary: the run continues until every writer that counts has ended.
    waits_for_all: bool = False

    def also(self, decides: bool, waits_for_all: bool) -> StateVote:  # noqa: FBT001 - the fields of an event
        """Return the vote after a further event; a vote once given up stays so, in any order of events."""
        return StateVote(self.decides and decides, self.waits_for_all or waits_for_all)


_DEFAULT_VOTE = StateVote()


@dataclass(slots=True, kw_only=True)
class TrackedWriter:
    """One writer of a run. Times are the broker's, microseconds since 1970."""

    run: RunPath
    id: bytes
    role: Role = Role.UNKNOWN
    continues: frozenset[bytes] = frozenset()
    host: str = ""
    label: str = ""
    phase: Phase = Phase.NO_BEAT
    #: Append times of its first and its last record.
    first: int = 0
    last: int = 0
    #: Number of its last beat.
    number: int = -1
    #: Available time of the partition at its last beat, microseconds.
    heard: int = 0
    stale: bool = False
    unreachable: bool = False
    #: By its last beat, the training process has ended.
    finishing: bool = False
    #: By its last beat with a running training process, it is about to be preempted.
    preempting: bool = False
    #: Its vote by its beats and its goodbye, and by its exit.
    heartbeat_vote: StateVote = _DEFAULT_VOTE
    exit_vote: StateVote = _DEFAULT_VOTE
    goodbye: Ending | None = None
    exit: Ending | None = None
    #: When it ended by its own clock, as far as that is not ahead of the broker's; 0 if not known.
    ended: int = field(default=0, compare=False)
    #: How far its clock is ahead of the broker's by its first beat, which is not late; None without beats.
    clock_offset: int | None = field(default=None, compare=False)
    #: The same at least, by any of its records.
    clock_ahead: int = field(default=0, compare=False)

    def note_clock(self, time: int, append_time: int, *, is_beat: bool) -> bool:
        """Compare the clock of a record with the broker's; return whether that changes what is known."""
        before = self.clock_offset, self.clock_ahead
        if is_beat and self.clock_offset is None:
            self.clock_offset = time - append_time
        if time - append_time > max(self.clock_ahead, _NOTED_US):
            self.clock_ahead = time - append_time
        return before != (self.clock_offset, self.clock_ahead)

    @property
    def state(self) -> State:
        """Its state."""
        match self.phase:
            case Phase.NO_BEAT:
                return State.PENDING
            case Phase.RUNNING:
                return State.PREEMPTING if self.preempting else State.RUNNING
            case Phase.PRESUMED:
                return end_state(ExitState.CRASHED, preempting=self.preempting)
            case Phase.CLOSED | Phase.EXITED:
                ending = self.goodbye if self.phase is Phase.CLOSED else self.exit
                return end_state(ExitState.CRASHED if ending is None else ending.state, preempting=self.preempting)

    @property
    def vote(self) -> StateVote:
        """Whether it counts for the state of its run."""
        match self.phase:
            case Phase.NO_BEAT:
                return _DEFAULT_VOTE
            case Phase.EXITED:
                return self.exit_vote
        return self.heartbeat_vote

    @property
    def qualifiers(self) -> frozenset[Qualifier]:
        """The qualifiers of its state."""
        if self.phase is Phase.PRESUMED:
            return frozenset({Qualifier.PRESUMED})
        if self.phase is not Phase.RUNNING or not (self.stale or self.unreachable or self.finishing):
            return _NONE
        marks = {
            Qualifier.STALE: self.stale,
            Qualifier.UNREACHABLE: self.unreachable,
            Qualifier.FINISHING: self.finishing,
        }
        return frozenset(qualifier for qualifier, marked in marks.items() if marked)

    @property
    def qualified_state(self) -> QualifiedState:
        """Its state and its qualifiers."""
        return self.state, self.qualifiers


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of the state of a run, or of one of its writers if ``writer`` is set."""

    run: RunPath
    writer: bytes | None
    #: Append time of the record that caused it, microseconds since 1970.
    time: int
    #: None for the first.
    before: State | None
    after: State
    reason: str
    #: Of a run's transition: its number, the qualifiers of the new state, and the writer that caused it.
    seq: int = 0
    qualifiers: frozenset[Qualifier] = frozenset()
    cause: bytes = b""


def describe_ending(ending: Ending | None) -> str:
    """Return how a writer ended, as text."""
    if ending is None:
        return ""
    if ending.reason:
        return ending.reason
    if ending.signal:
        return f"signal {ending.signal}" if ending.signal > 0 else "signal unknown"
    return f"exit code {ending.exit_code}" if ending.exit_code >= 0 else ending.state.value
