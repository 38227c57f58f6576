"""The default view of a run: which rows of the run, and of the runs it was forked from, are shown. Pure.

A writer that continues another one (resume) hides that writer's rows from its own first step on. A rewind hides all
rows after its step that were logged before it. A fork inherits the rows of another run as that run was at the time of
the fork: up to the fork's step, without hidden rows, and without writers that started later. Inherited rows are treated
as rows that the forking writer logged before its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class WriterFacts:
    """The first row of a writer of the history: its step, and its append time at the broker."""

    first_step: int
    began: int


@dataclass(frozen=True, slots=True)
class BranchFacts:
    """A fork (``origin`` is another run) or a rewind; ``step`` is the last step that is inherited."""

    writer: UUID
    origin: UUID
    step: int
    offset: int
    append_time: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The writers and branches of a run, which determine its view."""

    run: UUID
    writers: Mapping[UUID, WriterFacts] = field(default_factory=dict)
    #: The writers that each writer continues.
    lineage: Mapping[UUID, AbstractSet[UUID]] = field(default_factory=dict)
    #: Ordered by offset.
    branches: Sequence[BranchFacts] = ()

    @property
    def fork(self) -> BranchFacts | None:
        """The fork that created the run, if any; markers after the first are ignored."""
        return next((branch for branch in self.branches if branch.origin != self.run), None)

    def as_of(self, time: int) -> RunFacts:
        """Return the facts that were known at a time of the broker's clock."""
        writers = {key: writer for key, writer in self.writers.items() if writer.began < time}
        branches = [branch for branch in self.branches if branch.append_time < time]
        known = {*writers, *(branch.writer for branch in branches)}
        known |= ancestors(self.lineage, *known)
        lineage = {key: earlier for key, earlier in self.lineage.items() if key in known}
        return RunFacts(self.run, writers, lineage, branches)


class Cuts:
    """The rows of a run that its later writers hide."""

    def __init__(self, facts: RunFacts) -> None:
        rewinds = [(branch.step + 1, branch) for branch in facts.branches if branch.origin == facts.run]
        starts = [(facts.writers[one].first_step, one) for one in facts.lineage if one in facts.writers]
        starts += [(step, branch.writer) for step, branch in rewinds]
        #: For each writer that is continued, the least step from which one that continues it hides its rows.
        self._continued = _least_steps(facts.lineage, starts)
        #: The offsets of rewinds, ascending, and the least step of those from each on: what is hidden before it.
        self._offsets: list[int] = []
        self._steps: list[int] = []
        for step, branch in sorted(rewinds, key=lambda rewind: -rewind[1].offset):
            self._offsets.append(branch.offset)
            self._steps.append(min(step, self._steps[-1]) if self._steps else step)
        self._offsets.reverse()
        self._steps.reverse()

    def hidden_from(self, writer: UUID, offset: int) -> int | None:
        """Return the step from which rows of a writer at an offset are hidden, or None if none are."""
        # A writer's rows follow its own marker, so it never hides them.
        rewind = bisect_right(self._offsets, offset)
        return _least(self._continued.get(writer), self._steps[rewind] if rewind < len(self._steps) else None)

    def rewinds_within(self, first: int, last: int) -> Sequence[int]:
        """Return the offsets of rewinds after one offset and up to another one."""
        return self._offsets[bisect_right(self._offsets, first) : bisect_right(self._offsets, last)]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The step from which rows are not part of the view, and the step from which they are hidden in it, if any."""

    ends_before: int | None
    hidden_from: int | None


EVERYTHING = Bounds(None, None)


@dataclass(frozen=True, slots=True)
class RowSource:
    """A run whose rows are part of a view."""

    facts: RunFacts
    #: Its position in the order of rows at one step: the oldest ancestor is 0.
    rank: int
    #: The step from which its rows are not part of the view, if any.
    ends_before: int | None
    #: The step from which its rows are hidden in the viewed run, regardless of their writer.
    hidden_from: int | None
    cuts: Cuts
    #: Whether this is the viewed run. Rows that an ancestor hides are not part of the view.
    is_own: bool

    @property
    def last_step(self) -> int:
        """The last step at which its rows can be part of the view."""
        return 2**63 - 1 if self.ends_before is None else self.ends_before - 1

    def bounds_of(self, writer: bytes, offset: int) -> Bounds | None:
        """Return which rows of a writer at an offset are shown, or None if none are part of the view."""
        key = UUID(bytes=writer)
        if self.is_own:
            return Bounds(None, self.cuts.hidden_from(key, offset))
        if key not in self.facts.writers:
            return None
        return Bounds(_least(self.ends_before, self.cuts.hidden_from(key, offset)), self.hidden_from)


def view_of(lineage: Sequence[RunFacts]) -> list[RowSource]:
    """Return the row sources of a run's view; ``lineage`` is the run, the run it was forked from, and so on."""
    sources: list[RowSource] = []
    ends_before = hidden_from = None
    time: int | None = None
    for depth, known in enumerate(lineage):
        facts = known if time is None else known.as_of(time)
        cuts = Cuts(facts)
        rank = len(lineage) - 1 - depth
        sources.append(RowSource(facts, rank, ends_before, hidden_from, cuts, is_own=depth == 0))
        fork = facts.fork
        if fork is None:
            break
        of_heirs = cuts.hidden_from(fork.writer, fork.offset)
        if depth == 0:
            hidden_from = of_heirs
            ends_before = fork.step + 1
        else:
            ends_before = _least(ends_before, fork.step + 1, of_heirs)
        time = fork.append_time
    return sources


def ancestors(lineage: Mapping[UUID, Iterable[UUID]], *writers: UUID) -> set[UUID]:
    """Return the writers that any of some writers continues, directly or not."""
    found: set[UUID] = set()
    waiting = [*writers]
    while waiting:
        for earlier in lineage.get(waiting.pop(), ()):
            if earlier not in found:
                found.add(earlier)
                waiting.append(earlier)
    return found


def _least_steps(lineage: Mapping[UUID, Iterable[UUID]], starts: Iterable[tuple[int, UUID]]) -> dict[UUID, int]:
    """Return for each writer the least step of those that continue it, directly or not; each is visited once."""
    least: dict[UUID, int] = {}
    for step, start in sorted(starts):
        waiting = [start]
        while waiting:
            for earlier in lineage.get(waiting.pop(), ()):
                # One with a lesser step has visited what it continues as well.
                if earlier not in least and earlier != start:
                    least[earlier] = step
                    waiting.append(earlier)
    return least


def lines_of(sources: Sequence[RowSource]) -> dict[UUID, UUID]:
    """Return for each writer the later one whose series includes its rows: by a resume, or by a fork of its run.

    Writers whose rows form their own series are omitted.
    """
    follower: dict[UUID, UUID] = {}
    for depth, source in enumerate(sources):
        lineage, writers = source.facts.lineage, source.facts.writers
        for writer in sorted(lineage, key=lambda one: writers[one].began if one in writers else 0):
            follower |= dict.fromkeys(lineage[writer], writer)
        fork = sources[depth - 1].facts.fork if depth else None
        heads = [writer for writer in writers if writer not in follower]
        if fork is not None and len(heads) == 1:
            follower[heads[0]] = fork.writer
    ends: dict[UUID, UUID] = {}
    for writer in follower:
        line, end = {writer: None}, writer
        while (after := follower.get(end)) is not None and after not in line and after not in ends:
            line[after] = None
            end = after
        end = end if after is None else ends.get(after, end)
        ends |= dict.fromkeys(line, end)
    return {writer: ends[writer] for writer in follower}


def _least(*steps: int | None) -> int | None:
    return min((step for step in steps if step is not None), default=None)
