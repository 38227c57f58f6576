"""Which rows of a run, and of the runs it goes on from, are shown: the default view. Pure.

A writer that continues another (resume) hides that one's rows from its own first step on. A rewind hides what follows
its step of all that was logged before it. A fork goes on from the rows of another run, as that run was when the fork
was made: up to its step, without what was hidden, and without writers that came later. Inherited rows count as rows
that the forking writer logged before its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

#: An offset behind every other.
_ALWAYS = 2**63


@dataclass(frozen=True, slots=True)
class WriterFacts:
    """The first row of a writer of the history: its step, and when the broker got it."""

    first_step: int
    began: int
    #: The greatest distance between two steps of one of its blocks.
    widest: int = 0


@dataclass(frozen=True, slots=True)
class BranchFacts:
    """A fork (``origin`` is another run) or a rewind; ``step`` is the last one that counts."""

    writer: UUID
    origin: UUID
    step: int
    offset: int
    append_time: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run that decides over its view."""

    run: UUID
    writers: Mapping[UUID, WriterFacts] = field(default_factory=dict)
    #: Whom each writer continues.
    lineage: Mapping[UUID, frozenset[UUID]] = field(default_factory=dict)
    #: In the order of their offsets.
    branches: Sequence[BranchFacts] = ()

    @property
    def fork(self) -> BranchFacts | None:
        """Where the run goes on from another; the first such marker counts."""
        return next((branch for branch in self.branches if branch.origin != self.run), None)

    @property
    def widest(self) -> int:
        """The greatest distance between two steps of one block."""
        return max((writer.widest for writer in self.writers.values()), default=0)

    def as_of(self, time: int) -> RunFacts:
        """Return what was known when the broker's clock showed a time."""
        writers = {key: writer for key, writer in self.writers.items() if writer.began < time}
        branches = [branch for branch in self.branches if branch.append_time < time]
        known = {*writers, *(branch.writer for branch in branches)}
        known = known.union(*(ancestors(self.lineage, writer) for writer in known))
        lineage = {key: earlier for key, earlier in self.lineage.items() if key in known}
        return RunFacts(self.run, writers, lineage, branches)


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows from a step on do not count, as far as they were appended before an offset."""

    step: int
    before: int


class Cuts:
    """What the later writers of a run hide of the earlier ones.

    Args:
        facts: The run.
    """

    def __init__(self, facts: RunFacts) -> None:
        self._cuts: dict[UUID, list[Cut]] = {}
        self._everyone: list[Cut] = []
        for writer in facts.lineage:
            known = facts.writers.get(writer)
            if known is not None:
                for earlier in ancestors(facts.lineage, writer):
                    self._cuts.setdefault(earlier, []).append(Cut(known.first_step, _ALWAYS))
        for branch in facts.branches:
            if branch.origin == facts.run:
                self._everyone.append(Cut(branch.step + 1, branch.offset))
                for earlier in ancestors(facts.lineage, branch.writer):
                    self._cuts.setdefault(earlier, []).append(Cut(branch.step + 1, _ALWAYS))

    def hidden_from(self, writer: UUID, offset: int) -> int | None:
        """Return the step from which on rows of a writer at an offset are hidden; None: none are."""
        # A writer's rows lie behind its own marker, so that it never hides them.
        cuts = [*self._cuts.get(writer, ()), *self._everyone]
        return min((cut.step for cut in cuts if offset < cut.before), default=None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The steps from which on rows are no part of the view, and are hidden in it; None: none are."""

    ends_before: int | None
    hidden_from: int | None


EVERYTHING = Bounds(None, None)


@dataclass(frozen=True, slots=True)
class Source:
    """A run whose rows are part of a view."""

    facts: RunFacts
    #: Its place in the order of rows at one step: the oldest ancestor is 0.
    rank: int
    #: The step from which on its rows are no part of the view; None: all are.
    ends_before: int | None
    #: The step from which on its rows are hidden in the viewed run, whoever wrote them.
    hidden_from: int | None
    cuts: Cuts
    #: Whether this is the viewed run; what an ancestor hides is no part of the view.
    is_own: bool

    def place(self, writer: UUID, offset: int) -> Bounds | None:
        """Return which rows of a writer at an offset are shown; None: none are part of the view."""
        if self.is_own:
            return Bounds(None, self.cuts.hidden_from(writer, offset))
        if writer not in self.facts.writers:
            return None
        return Bounds(_least(self.ends_before, self.cuts.hidden_from(writer, offset)), self.hidden_from)


def view_of(lineage: Sequence[RunFacts]) -> list[Source]:
    """Return the sources of a view: of the run that comes first, which goes on from the second, and so on."""
    sources: list[Source] = []
    ends_before = hidden_from = None
    time: int | None = None
    for depth, known in enumerate(lineage):
        facts = known if time is None else known.as_of(time)
        cuts = Cuts(facts)
        rank = len(lineage) - 1 - depth
        sources.append(Source(facts, rank, ends_before, hidden_from, cuts, is_own=depth == 0))
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


def ancestors(lineage: Mapping[UUID, Iterable[UUID]], writer: UUID) -> set[UUID]:
    """Return the writers that a writer continues, directly or not."""
    found: set[UUID] = set()
    waiting = [writer]
    while waiting:
        for earlier in lineage.get(waiting.pop(), ()):
            if earlier not in found:
                found.add(earlier)
                waiting.append(earlier)
    found.discard(writer)
    return found


def lines_of(sources: Sequence[Source]) -> dict[UUID, UUID]:
    """Return under which writer the rows of another are drawn: whoever continues it, or forked from its run.

    Writers that are drawn under themselves are left out.
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
    return {writer: _end_of(follower, writer) for writer in follower}


def _end_of(follower: Mapping[UUID, UUID], writer: UUID) -> UUID:
    seen = {writer}
    while (after := follower.get(writer)) is not None and after not in seen:
        seen.add(after)
        writer = after
    return writer


def _least(*steps: int | None) -> int | None:
    return min((step for step in steps if step is not None), default=None)
