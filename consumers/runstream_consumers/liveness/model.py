"""Liveness of the writers of one partition, a function of its records. Pure; docs/liveness.md describes the algorithm.

The only clock is the broker's append time, and only ticks advance it: available time is time during which records could
be appended to this partition. Silence is measured in available time, so neither an outage nor the lag of this consumer
makes a writer look crashed.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeGuard

from runstream_consumers.liveness.clock import Clock, Thresholds, seconds
from runstream_consumers.liveness.rules import TRANSITIONS, Phase, QualifiedState, Qualifier, Trigger
from runstream_consumers.liveness.run import SetState, TrackedRun
from runstream_consumers.liveness.writer import TrackedWriter, Transition, describe_ending
from runstream_schemas import values
from runstream_schemas.attributes import SETTABLE_STATES, STATE_SET, bounded_time
from runstream_schemas.events import ChangeEvent, Event, ExitEvent, HeartbeatEvent, Kind, Role, RunState, Scope
from runstream_schemas.topics import RunPath, Topic

#: The events that concern a writer's liveness.
WriterEvent = HeartbeatEvent | ExitEvent | ChangeEvent
WriterKey = tuple[RunPath, bytes]

#: A writer in hexadecimal.
_WRITER = re.compile(r"[0-9a-f]{32}")
#: Qualifiers whose appearance or disappearance is a transition even if the state stays the same.
_TRANSITION_QUALIFIERS = frozenset({Qualifier.PRESUMED, Qualifier.UNREACHABLE})


@dataclass(slots=True, kw_only=True)
class Changes:
    """What changed since the last write."""

    clock: bool = False
    runs: dict[RunPath, TrackedRun] = field(default_factory=dict)
    #: Writers of which something other than the pulse changed.
    writers: dict[WriterKey, TrackedWriter] = field(default_factory=dict)
    #: Writers whose pulse changed: number, heard and last.
    pulses: dict[WriterKey, TrackedWriter] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)


class PartitionModel:
    """The state of a partition: its clock, and the runs that are in memory.

    Before an event is applied, its run must have been passed to :meth:`restore` if it is stored. All runs with a
    running writer must have been restored before the first tick.
    """

    def __init__(self, thresholds: Thresholds, is_signed: Callable[[HeartbeatEvent], bool]) -> None:
        self.clock = Clock()
        self.runs: dict[RunPath, TrackedRun] = {}
        self.changes = Changes()
        self._thresholds = thresholds
        self._is_signed = is_signed
        #: The running writers, beginning with the one that has been silent longest.
        self._running: OrderedDict[WriterKey, TrackedWriter] = OrderedDict()
        #: Their number by run.
        self._open: Counter[RunPath] = Counter()
        #: Runs whose state has to be decided again.
        self._undecided: set[RunPath] = set()

    @property
    def is_open(self) -> bool:
        """Whether a writer is running, so that ticks are needed."""
        return bool(self._running)

    def restore(self, runs: Iterable[TrackedRun]) -> None:
        """Add stored runs that are not in memory."""
        found: list[TrackedWriter] = []
        for run in runs:
            self.runs[run.path] = run
            found += [writer for writer in run.writers.values() if writer.phase is Phase.RUNNING]
        if found:
            self._open.update(writer.run for writer in found)
            found = sorted([*self._running.values(), *found], key=lambda writer: writer.heard)
            self._running = OrderedDict(((writer.run, writer.id), writer) for writer in found)

    def forget_closed(self, kept: int) -> None:
        """Remove the runs from memory that have no running writer, if these are more than ``kept``."""
        if len(self.runs) - len(self._open) > kept:
            self.runs = {path: self.runs[path] for path in self._open}

    def apply(self, event: Event, time: int) -> Sequence[Transition]:
        """Apply an event that was appended at ``time``; return the transitions that it caused."""
        known = len(self.changes.transitions)
        if isinstance(event, HeartbeatEvent) and event.kind is Kind.TICK:
            self._tick(event, time)
        elif is_writer_event(event):
            self._apply_writer_event(event, time)
        elif (given := set_state_in(event)) is not None:
            self._set_state(event, given, time)
        return self.changes.transitions[known:]

    def _set_state(self, event: Event, given: SetState, time: int) -> None:
        run = self.runs.get(event.run)
        if run is None:
            run = self.runs[event.run] = TrackedRun(path=event.run)
        run.set(given)
        principal = event.principal if isinstance(event, ChangeEvent) else ""
        self._update_run_state(run, event.writer.id, time, f"set by {principal or 'a command'}")

    # --- ticks

    def _tick(self, event: HeartbeatEvent, time: int) -> None:
        self.changes.clock = True
        if event.number <= self.clock.number or not self._is_signed(event):
            self.clock.refused += 1
            return
        self.clock.number = event.number
        self.clock.tick(time, self._thresholds.gap)
        self._check_silence(event, time)

    def _check_silence(self, tick: HeartbeatEvent, time: int) -> None:
        limits = self._thresholds
        crashing: list[TrackedWriter] = []
        together: list[TrackedWriter] = []
        for writer in self._silent_for(min(limits.stale, limits.crashed - limits.together)):
            silence = self._silence(writer)
            if writer.unreachable:
                if silence >= limits.unreachable:
                    crashing.append(writer)
                continue
            if silence >= limits.stale and not writer.stale:
                before = writer.qualified_state
                writer.stale = True
                self._record_change(writer, before, time, f"silent for {seconds(silence)}")
            if silence >= limits.crashed - limits.together:
                together.append(writer)
        due = [writer for writer in together if self._silence(writer) >= limits.crashed]
        if due and (silent := self._mass_silence(tick, {writer.run for writer in together})):
            for writer in together:
                before = writer.qualified_state
                writer.unreachable = True
                self._record_change(writer, before, time, f"fell silent together with {silent - 1} other runs")
        else:
            crashing += due
        for writer in crashing:
            before = writer.qualified_state
            self._set_phase(writer, TRANSITIONS[writer.phase, Trigger.SILENCE])
            self._record_change(writer, before, time, f"silent for {seconds(self._silence(writer))}")

    def _mass_silence(self, tick: HeartbeatEvent, here: AbstractSet[RunPath]) -> int:
        """Return how many runs, not writers, fell silent if these are so many that they are probably cut off, or 0.

        The tick has the counts of all partitions. It is written somewhat earlier than it is read, and earlier versions
        wrote none, so the counts of this partition are the least.
        """
        silent = max(len(here), tick.silent_runs)
        live = max(len(self._open), tick.open_runs)
        return silent if silent >= max(self._thresholds.mass, self._thresholds.share * live) else 0

    def _silent_for(self, silence: int) -> list[TrackedWriter]:
        return list(takewhile(lambda writer: self._silence(writer) >= silence, self._running.values()))

    def _silence(self, writer: TrackedWriter) -> int:
        return self.clock.available - writer.heard

    # --- events of writers

    def _apply_writer_event(self, event: WriterEvent, time: int) -> None:
        run = self.runs.get(event.run)
        if run is None:
            run = self.runs[event.run] = TrackedRun(path=event.run)
        writer = run.writers.get(event.writer.id)
        before = None if writer is None else writer.qualified_state
        if writer is None:
            writer = TrackedWriter(run=event.run, id=event.writer.id, role=event.writer.role, first=time, last=time)
            run.writers[writer.id] = writer
            self._mark_changed(writer)
        if time < writer.first or not writer.continues.issuperset(event.writer.continues):
            writer.first = min(writer.first, time)
            run.add_continued(writer, event.writer.continues)
            self._mark_changed(writer)
        if writer.note_clock(event.header.time, time, is_beat=event.kind is Kind.BEAT):
            self._mark_changed(writer)
        writer.last = max(writer.last, time)
        self.changes.pulses[writer.run, writer.id] = writer
        self._record_change(writer, before, time, self._update_writer(writer, event, time))

    def _update_writer(self, writer: TrackedWriter, event: WriterEvent, time: int) -> str:
        """Apply an event to its writer; return the reason for what changed."""
        if isinstance(event, ChangeEvent):
            self._set_names(writer, *_names_in(event))
            return "waiting for the first heartbeat"
        if isinstance(event, ExitEvent):
            return self._exit(writer, event, time)
        if event.kind is Kind.GOODBYE:
            return self._goodbye(writer, event)
        return self._beat(writer, event)

    def _beat(self, writer: TrackedWriter, event: HeartbeatEvent) -> str:
        if event.number <= writer.number:
            return ""
        writer.number = event.number
        self._set_names(writer, event.host, event.label)
        silence = self._silence(writer)
        revived = writer.phase is Phase.PRESUMED or writer.unreachable
        if event.trainer_alive and (phase := TRANSITIONS.get((writer.phase, Trigger.BEAT))):
            self._set_phase(writer, phase)
        if writer.phase is Phase.RUNNING:
            writer.heard = self.clock.available
            writer.stale = writer.unreachable = False
            writer.finishing = not event.trainer_alive
            writer.preempting = event.preempting
            self._update_vote(writer, event)
            self._running.move_to_end((writer.run, writer.id))
        if revived:
            return f"heartbeats received again after {seconds(silence)}"
        return "about to be preempted" if event.preempting else "heartbeat received"

    def _goodbye(self, writer: TrackedWriter, event: HeartbeatEvent) -> str:
        if event.ending is None or writer.goodbye is not None:
            return ""
        writer.goodbye = event.ending
        self._update_vote(writer, event)
        self._set_names(writer, event.host, event.label)
        return self._close(writer, Trigger.GOODBYE)

    def _exit(self, writer: TrackedWriter, event: ExitEvent, time: int) -> str:
        if writer.exit is not None:
            return ""
        writer.exit, writer.ended = event.ending, bounded_time(event.header.time, time)
        writer.exit_vote = writer.exit_vote.also(event.decides, event.waits_for_all)
        if event.beats:  # its beats and its goodbye decide, even if they have not been read yet
            self._mark_changed(writer)
            return "known by its exit"
        return self._close(writer, Trigger.EXIT)

    def _close(self, writer: TrackedWriter, signal: Trigger) -> str:
        self._mark_changed(writer)
        if phase := TRANSITIONS.get((writer.phase, signal)):
            self._set_phase(writer, phase)
        return describe_ending(writer.goodbye or writer.exit)

    def _update_vote(self, writer: TrackedWriter, event: HeartbeatEvent) -> None:
        vote = writer.heartbeat_vote.also(event.decides, event.waits_for_all)
        if vote != writer.heartbeat_vote:
            writer.heartbeat_vote = vote
            self._mark_changed(writer)

    def _set_names(self, writer: TrackedWriter, host: str, label: str) -> None:
        if (host and not writer.host) or (label and not writer.label):
            writer.host = writer.host or host
            writer.label = writer.label or label
            self._mark_changed(writer)

    # --- bookkeeping

    def _set_phase(self, writer: TrackedWriter, phase: Phase) -> None:
        writer.phase = phase
        writer.stale = writer.unreachable = writer.finishing = False
        if phase is Phase.RUNNING:
            self._running[writer.run, writer.id] = writer
            self._open[writer.run] += 1
        elif self._running.pop((writer.run, writer.id), None):
            self._open[writer.run] -= 1
            if not self._open[writer.run]:
                del self._open[writer.run]
        self._mark_changed(writer)

    def _mark_changed(self, writer: TrackedWriter) -> None:
        self.changes.writers[writer.run, writer.id] = writer
        self.changes.pulses[writer.run, writer.id] = writer
        self._undecided.add(writer.run)

    def _record_change(self, writer: TrackedWriter, before: QualifiedState | None, time: int, reason: str) -> None:
        """Record the change of a writer's state, and update its run's state if needed."""
        if before != writer.qualified_state:
            self._mark_changed(writer)
            if _is_transition(before, writer.qualified_state):
                self.changes.transitions.append(
                    Transition(
                        run=writer.run,
                        writer=writer.id,
                        time=time,
                        before=before and before[0],
                        after=writer.state,
                        reason=reason,
                    )
                )
        if writer.run in self._undecided:
            self._undecided.discard(writer.run)
            reason = f"{writer.label}: {reason}" if writer.label else reason
            run = self.runs[writer.run]
            run.index.update(writer)
            self._update_run_state(run, writer.id, time, reason)

    def _update_run_state(self, run: TrackedRun, cause: bytes, time: int, reason: str) -> None:
        self.changes.runs[run.path] = run
        before, run.qualified_state = run.qualified_state, run.decided_state()
        if _is_transition(before, run.qualified_state):
            self.changes.transitions.append(
                Transition(
                    run=run.path,
                    writer=None,
                    time=time,
                    before=before and before[0],
                    after=run.qualified_state[0],
                    reason=reason,
                    seq=run.transitions,
                    qualifiers=run.qualified_state[1],
                    cause=cause,
                )
            )
            run.transitions += 1
            run.changed = time


def is_writer_event(event: Event) -> TypeGuard[WriterEvent]:
    """Return whether an event concerns a writer's liveness: a beat, a goodbye, an exit, or a change of the config.

    Commands are not processes, so theirs do not.
    """
    match event:
        case HeartbeatEvent(kind=Kind.BEAT | Kind.GOODBYE) | ExitEvent(kind=Kind.DATA):
            return event.writer.role is not Role.COMMAND
        case ChangeEvent(kind=Kind.DATA, topic=Topic.CONFIG):
            return event.writer.role is not Role.COMMAND
    return False


def set_state_in(event: Event) -> SetState | None:
    """Return the state that a command sets, or None: the attribute :data:`STATE_SET` in a command's config event."""
    if not (isinstance(event, ChangeEvent) and event.topic is Topic.CONFIG and event.kind is Kind.DATA):
        return None
    if event.writer.role is not Role.COMMAND:
        return None
    entries = [entry for record in event.records for entry in record.entries]
    found = [entry.value for entry in entries if entry.scope is Scope.ATTRIBUTE and entry.path == (STATE_SET,)]
    return _set_state(values.load(found[-1])) if found else None


def _set_state(value: object) -> SetState | None:
    """Return the state in the value of the attribute; None if it is not valid."""
    match value:
        case {"state": str(name), "writers": list(writers)} if name in SETTABLE_STATES:
            known = [bytes.fromhex(one) for one in writers if isinstance(one, str) and _WRITER.fullmatch(one)]
            return SetState(RunState(name), frozenset(known))
    return None


def _is_transition(before: QualifiedState | None, after: QualifiedState) -> bool:
    return before is None or before[0] is not after[0] or bool((before[1] ^ after[1]) & _TRANSITION_QUALIFIERS)


def _names_in(event: ChangeEvent) -> tuple[str, str]:
    """Return the host and the label in the entries of a config event, empty if there are none."""
    host = label = ""
    for record in event.records:
        for entry in record.entries:
            if entry.scope is Scope.METADATA and entry.path == ("host",):
                host = _text(entry.value)
            elif entry.scope is Scope.ATTRIBUTE and entry.path == ("label",):
                label = _text(entry.value)
    return host, label


def _text(json: str) -> str:
    value = values.load(json)
    return value if isinstance(value, str) else ""
