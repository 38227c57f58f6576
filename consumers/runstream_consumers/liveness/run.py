"""The liveness consumer's record of a run, whose state follows from its writers. Pure.

The writers are indexed by what decides the state, so that a change does not look at all of them: a writer is filed by
its role, its vote and its state, and is filed again when it changes. This takes time proportional to the logarithm of
the number of writers, and to the number of writers that it newly continues.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from runstream_consumers.liveness.rules import Phase, QualifiedState, Qualifier, State
from runstream_consumers.liveness.writer import TrackedWriter
from runstream_schemas.events import Role
from runstream_schemas.exceptions import LimitExceeded
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.topics import RunPath

_NONE: frozenset[Qualifier] = frozenset()
#: States of writers that have not ended, in order of precedence for their run.
_OPEN_STATES = (State.RUNNING, State.PREEMPTING, State.PENDING)
#: All states in order of precedence, ends from the worst to the best.
_PRECEDENCE = (*_OPEN_STATES, State.CRASHED, State.FAILED, State.KILLED, State.PREEMPTED, State.FINISHED)
#: Outdated items of a ranking that are kept before it is built again.
_FEW = 64


class _Ranking:
    """Finds the item of the least rank among those whose ranks change."""

    def __init__(self) -> None:
        self.ranks: dict[bytes, Any] = {}
        self._heap: list[tuple[Any, bytes]] = []

    def put(self, item: bytes, rank: Any) -> None:
        """Set the rank of an item; None removes it."""
        if rank is None:
            self.ranks.pop(item, None)
        elif self.ranks.get(item) != rank:
            self.ranks[item] = rank
            heappush(self._heap, (rank, item))
            if len(self._heap) > 2 * len(self.ranks) + _FEW:
                self._heap = [(known, name) for name, known in self.ranks.items()]
                heapify(self._heap)

    def first(self) -> bytes | None:
        """Return the item of the least rank, or None if there are none."""
        while self._heap and self.ranks.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][1] if self._heap else None


class _Group:
    """Writers of a role that have a vote, or all that have none: the times of their first records, by state."""

    def __init__(self) -> None:
        self.firsts: dict[QualifiedState, list[int]] = {}

    def add(self, state: QualifiedState, first: int) -> None:
        """Add a writer."""
        insort(self.firsts.setdefault(state, []), first)

    def remove(self, state: QualifiedState, first: int) -> None:
        """Remove a writer."""
        firsts = self.firsts[state]
        del firsts[bisect_left(firsts, first)]
        if not firsts:
            del self.firsts[state]

    def states_of_attempt(self, earliest: float, latest: float) -> Iterator[QualifiedState]:
        """Yield the states of the writers that are open, or whose first records arrived within these times."""
        for state, firsts in self.firsts.items():
            place = bisect_left(firsts, earliest)
            if state[0] in _OPEN_STATES or (place < len(firsts) and firsts[place] < latest):
                yield state

    def around(self, first: int) -> tuple[int | None, int | None]:
        """Return the latest first record before a time, and the earliest one after it."""
        before = [firsts[place - 1] for firsts in self.firsts.values() if (place := bisect_left(firsts, first))]
        places = [(firsts, bisect_left(firsts, first + 1)) for firsts in self.firsts.values()]
        after = [firsts[place] for firsts, place in places if place < len(firsts)]
        return max(before, default=None), min(after, default=None)


@dataclass(frozen=True, slots=True)
class SetState:
    """A state of a run that was set by a command, against the writers that were known then."""

    state: State
    writers: frozenset[bytes] = frozenset()


class WriterIndex:
    """Decides the state of a run by the rules 7 to 10 of ``rules``; writers that are ``overruled`` decide nothing."""

    def __init__(self, writers: Iterable[TrackedWriter] = (), overruled: Collection[bytes] = frozenset()) -> None:
        self._overruled = overruled
        #: When the last of the run's processes ended, by its clock; 0 if not known.
        self.ended = 0
        #: Writers that are running, of any role.
        self.running: set[bytes] = set()
        self._primaries, self._workers, self._without_vote = _Group(), _Group(), _Group()
        self._filed: dict[bytes, tuple[_Group, QualifiedState, int]] = {}
        #: Primaries with a vote: those that no other continues before the others, the newest first.
        self._newest = _Ranking()
        self._voting: dict[bytes, TrackedWriter] = {}
        #: What each of them continues, and by how many of them a writer is continued.
        self._continues: dict[bytes, frozenset[bytes]] = {}
        self._continued: Counter[bytes] = Counter()
        #: Processes by the difference of their clocks, the greatest first.
        self._clocks = _Ranking()
        #: How many writers all writers continue.
        self.continued = 0
        for writer in writers:
            self.continued += len(writer.continues)
            self.update(writer)

    @property
    def clock_offset(self) -> int | None:
        """How far the clock of its processes is ahead of the broker's, the one that differs most; None if unknown."""
        first = self._clocks.first()
        return None if first is None else -self._clocks.ranks[first][1]

    @property
    def decides(self) -> bool:
        """Whether there is a process whose state counts."""
        return bool(self._filed)

    def update(self, writer: TrackedWriter) -> None:
        """Add a writer, or file it again after it changed."""
        (self.running.add if writer.phase is Phase.RUNNING else self.running.discard)(writer.id)
        if writer.role not in {Role.PRIMARY, Role.WORKER}:
            return
        self.ended = max(self.ended, writer.ended)
        offset = writer.clock_ahead if writer.clock_offset is None else writer.clock_offset
        self._clocks.put(writer.id, (-abs(offset), -offset) if offset else None)
        if writer.id in self._overruled:
            return
        group = self._without_vote
        if writer.vote.decides:
            group = self._primaries if writer.role is Role.PRIMARY else self._workers
        place = group, writer.qualified_state, writer.first
        before = self._filed.get(writer.id)
        if before != place:
            if before is not None:
                before[0].remove(*before[1:])
            self._filed[writer.id] = place
            group.add(*place[1:])
        if writer.role is Role.PRIMARY:
            self._update_primary(writer)

    def state(self) -> QualifiedState:
        """Return the state of the run, and the qualifiers that all deciding writers share."""
        primary = self._newest.first()
        if primary is None:
            workers = list(self._workers.firsts)
            return (
                _leading(workers, _PRECEDENCE)
                if workers
                else _leading(list(self._without_vote.firsts), [State.RUNNING])
            )
        newest = self._voting[primary]
        if newest.vote.waits_for_all:
            workers = list(self._workers.states_of_attempt(*self._attempt(newest.first)))
            return _leading([newest.qualified_state, *workers], _PRECEDENCE)
        return _leading(self._primaries.firsts, [State.RUNNING, State.PREEMPTING], newest.qualified_state)

    def _attempt(self, first: int) -> tuple[float, float]:
        """Return within which times the first records of workers are nearest to that of a primary."""
        before, after = self._primaries.around(first)
        earliest = -inf if before is None else (before + first + 1) // 2
        return earliest, inf if after is None else (first + after + 1) // 2

    def _update_primary(self, writer: TrackedWriter) -> None:
        before = self._continues.get(writer.id, frozenset())
        if writer.vote.decides:
            self._voting[writer.id], self._continues[writer.id] = writer, writer.continues
            if writer.continues is not before:
                self._count_continued(writer.continues - before, 1)
        elif self._voting.pop(writer.id, None):
            self._count_continued(self._continues.pop(writer.id), -1)
        self._rank(writer.id)

    def _count_continued(self, writers: Iterable[bytes], number: int) -> None:
        for earlier in writers:
            self._continued[earlier] += number
            self._rank(earlier)

    def _rank(self, name: bytes) -> None:
        writer = self._voting.get(name)
        rank = writer and (self._continued[name] > 0, -writer.first, -int.from_bytes(name, "big"))
        self._newest.put(name, rank)


@dataclass(slots=True, kw_only=True)
class TrackedRun:
    """A run with its writers, and the state that was last decided from them."""

    path: RunPath
    writers: dict[bytes, TrackedWriter] = field(default_factory=dict)
    #: State and qualifiers; None before its first record.
    qualified_state: QualifiedState | None = None
    #: The state that was set last; None if none was.
    set_state: SetState | None = None
    #: How many transitions it has had; depends on the order in which the topics were read, unlike its state.
    transitions: int = field(default=0, compare=False)
    #: Append time of the record that caused the last one; depends on that order, too.
    changed: int | None = field(default=None, compare=False)
    _index: WriterIndex | None = field(default=None, compare=False, repr=False)

    @property
    def index(self) -> WriterIndex:
        """Its writers, by what decides its state."""
        if self._index is None:
            overruled = frozenset() if self.set_state is None else self.set_state.writers
            self._index = WriterIndex(self.writers.values(), overruled)
        return self._index

    def set(self, given: SetState) -> None:
        """Set the state, which holds until a process that ``given`` does not name writes to the run."""
        self.set_state, self._index = given, None

    def decided_state(self) -> QualifiedState:
        """Return the state by the rules, or the one that was set if it holds."""
        if self.set_state is None or self.index.decides:
            return self.index.state()
        return self.set_state.state, _NONE

    def add_continued(self, writer: TrackedWriter, earlier: Iterable[bytes]) -> None:
        """Add writers that one of its writers continues; raises LimitExceeded for more than a run may have."""
        added = frozenset(earlier) - writer.continues
        self.index.continued += len(added)
        if self.index.continued > DEFAULT_LIMITS.run_continues:
            raise LimitExceeded(f"More than {DEFAULT_LIMITS.run_continues} continued writers in a run")
        writer.continues |= added


def _leading(
    found: Collection[QualifiedState], states: Sequence[State], otherwise: QualifiedState = (State.PENDING, _NONE)
) -> QualifiedState:
    """Return the first of these states that was found, and the qualifiers that all in it share."""
    for state in states:
        if qualifiers := [marks for known, marks in found if known is state]:
            return state, frozenset.intersection(*qualifiers)
    return otherwise
