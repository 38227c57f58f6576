"""The liveness consumer's records of writers and runs, and the state of a run by the rules 7 to 10 of ``rules``."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runstream_consumers.liveness.rules import Phase, QualifiedState, Qualifier, State, end_state
from runstream_schemas.events import Ending, ExitState, Role
from runstream_schemas.topics import RunPath

#: A smaller difference of clocks is not noted without a beat, microseconds.
_NOTED_US = 1_000_000
_NONE: frozenset[Qualifier] = frozenset()

#: States of writers that have not ended, in order of precedence for their run.
_OPEN_STATES = (State.RUNNING, State.PREEMPTING, State.PENDING)
#: All states in order of precedence, ends from the worst to the best.
_PRECEDENCE = (*_OPEN_STATES, State.CRASHED, State.FAILED, State.KILLED, State.PREEMPTED, State.FINISHED)


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


@dataclass(slots=True, kw_only=True)
class TrackedRun:
    """A run with its writers, and the state that was last decided from them."""

    path: RunPath
    writers: dict[bytes, TrackedWriter] = field(default_factory=dict)
    #: State and qualifiers; None before its first record.
    qualified_state: QualifiedState | None = None
    #: How many transitions it has had; depends on the order in which the topics were read, unlike its state.
    transitions: int = field(default=0, compare=False)

    @property
    def ended(self) -> int | None:
        """When the last of its processes ended, by its clock; None if not known."""
        return max((writer.ended for writer in self._processes), default=0) or None

    @property
    def clock_offset(self) -> int | None:
        """How far the clock of its processes is ahead of the broker's, the one that differs most; None if unknown."""
        known = [(writer.clock_offset, writer.clock_ahead) for writer in self._processes]
        offsets = [ahead if offset is None else offset for offset, ahead in known]
        return max(filter(None, offsets), key=abs, default=None)

    @property
    def _processes(self) -> list[TrackedWriter]:
        return [writer for writer in self.writers.values() if writer.role in {Role.PRIMARY, Role.WORKER}]

    @property
    def is_open(self) -> bool:
        """Whether one of its writers is running."""
        return any(writer.phase is Phase.RUNNING for writer in self.writers.values())


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


def decide_run_state(writers: Iterable[TrackedWriter]) -> QualifiedState:
    """Return the state of a run, and the qualifiers that all deciding writers share."""
    found = [writer for writer in writers if writer.role in {Role.PRIMARY, Role.WORKER}]
    deciding = [writer for writer in found if writer.vote.decides]
    if not deciding:
        return _leading_state(found, [State.RUNNING])
    workers = [writer for writer in deciding if writer.role is Role.WORKER]
    primaries = [writer for writer in deciding if writer.role is Role.PRIMARY]
    if not primaries:
        return _leading_state(workers, _PRECEDENCE)
    newest = _newest(primaries)
    if newest.vote.waits_for_all:
        return _leading_state([newest, *_workers_of_attempt(newest, primaries, workers)], _PRECEDENCE)
    return _leading_state(primaries, [State.RUNNING, State.PREEMPTING], newest.qualified_state)


def _newest(primaries: list[TrackedWriter]) -> TrackedWriter:
    continued = frozenset[bytes]().union(*(writer.continues for writer in primaries))
    candidates = [writer for writer in primaries if writer.id not in continued] or primaries
    return max(candidates, key=lambda writer: (writer.first, writer.id))


def _workers_of_attempt(
    newest: TrackedWriter, primaries: list[TrackedWriter], workers: list[TrackedWriter]
) -> list[TrackedWriter]:
    attempts: dict[int, TrackedWriter] = {}
    for primary in primaries:
        attempts.setdefault(primary.first, primary)
    starts = sorted(attempts)

    def came_with_it(worker: TrackedWriter) -> bool:
        place = bisect_left(starts, worker.first)
        nearest = min(starts[max(0, place - 1) : place + 1], key=lambda start: (abs(start - worker.first), -start))
        return attempts[nearest] is newest

    return [worker for worker in workers if worker.state in _OPEN_STATES or came_with_it(worker)]


def _leading_state(
    writers: list[TrackedWriter], states: Sequence[State], otherwise: QualifiedState = (State.PENDING, _NONE)
) -> QualifiedState:
    """Return the first of these states that a writer has, and the qualifiers that all writers in it share."""
    for state in states:
        if found := [writer.qualifiers for writer in writers if writer.state is state]:
            return state, frozenset.intersection(*found)
    return otherwise
