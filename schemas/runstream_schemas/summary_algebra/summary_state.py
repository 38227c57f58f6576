"""The summary state of a run, accumulated from its events. Pure; docs/summary.md describes the rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from runstream_schemas import values
from runstream_schemas.attributes import CHARTS, INVALID_METRICS, bounded_time, start_time
from runstream_schemas.events import ChangeEvent, Entry, Event, Kind, LogEvent, Operation, Role, Scope, Stream, Writer
from runstream_schemas.exceptions import LimitExceeded, MalformedEvent
from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.summary_algebra.assignments import Assigned, Assignments, Removed, Tag
from runstream_schemas.summary_algebra.block import fold_block
from runstream_schemas.summary_algebra.definitions import Definition, Definitions, parse
from runstream_schemas.summary_algebra.key_state import KeyState
from runstream_schemas.summary_algebra.lineage import earlier_writers
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream_schemas.summary_algebra.key_state import Path, Seen

#: Roles of the writers that begin a run.
_STARTING = frozenset({Role.PRIMARY, Role.WORKER})
#: What the shipper records for the run: its number from the server, and its GPUs.
_FROM_ANY_WRITER = frozenset({("number",), ("gpu_nvidia",)})


@dataclass(slots=True)
class Changed:
    """The parts of a state that changed since they were stored."""

    #: The states of keys.
    keys: bool = False
    #: Paths that were assigned while ``document`` was false, by the name of the part of the state.
    assigned: dict[str, dict[Path, None]] = field(default_factory=dict)
    #: Anything else, or an assignment that cannot be applied to the stored documents.
    document: bool = False
    #: Definitions and continued writers, which affect how every key is displayed.
    rules: bool = False
    #: The first names of the key paths that were logged or set by hand.
    names: set[str] = field(default_factory=set)


@dataclass(slots=True)
class SummaryState:
    """The state of a run, accumulated from the topics ``log``, ``config`` and ``summary``.

    Two states of the same events are equal, regardless of the order in which topics were read and of how rows were
    divided into blocks. Times are microseconds since 1970.
    """

    run: RunPath
    keys: dict[Path, KeyState] = field(default_factory=dict)
    manual: Assignments = field(default_factory=Assignments)
    config: Assignments = field(default_factory=Assignments)
    attributes: Assignments = field(default_factory=Assignments)
    metadata: Assignments = field(default_factory=Assignments)
    definitions: Definitions = field(default_factory=Definitions)
    continues: dict[bytes, frozenset[bytes]] = field(default_factory=dict)
    last_step: int | None = None
    #: Tag and writer of the latest row (that of the greatest tag). Its value is the row's time, by the client's clock.
    latest: Seen | None = None
    #: Offset and writer of the latest fork or rewind; earlier rows are ignored.
    branch: tuple[int, bytes] | None = None
    #: When the run began, by the clock of its first process as far as that is not ahead of the broker's.
    created: int = 0
    #: Append time of the latest event.
    updated: int = 0
    changed: Changed = field(default_factory=Changed)
    #: The documents, such as ``config``, of which keys are missing because the run has more than the limit.
    full: set[str] = field(default_factory=set)
    limits: Limits = field(default=DEFAULT_LIMITS, compare=False, repr=False)
    #: The writers that the writer of the branch continues; None if not known yet.
    _before_branch: set[bytes] | None = None
    #: How many writers all writers continue; None if not known yet.
    _continued: int | None = None

    @property
    def weight(self) -> int:
        """The size of the state: keys, assignments, and a constant for the run itself."""
        return 10 + len(self.keys) + self.assignments

    @property
    def assignments(self) -> int:
        """The number of assignments."""
        documents = len(self.config.entries) + len(self.attributes.entries) + len(self.metadata.entries)
        return len(self.manual.entries) + documents

    def missing(self, name: str) -> dict[str, str]:
        """Return a note for a document of which keys are missing; otherwise an empty dict."""
        problem = f"keys beyond the {self.limits.run_keys} that a run may have"
        return {"[not recorded]": f"[not recorded: {problem}]"} if name in self.full else {}

    def fold(self, event: Event, offset: int, append_time: int) -> None:
        """Fold in the event at a partition offset; ignore events that do not contribute.

        Raises LimitExceeded for a state beyond the limits; it must not be used afterwards.
        """
        if not contributes(event):
            return
        if event.writer.continues:
            self._continue(event.writer)
        if isinstance(event, LogEvent):
            self._fold_log(event, offset)
        elif isinstance(event, ChangeEvent):
            self._fold_changes(event, offset)
        self.created = min([self.created or append_time, append_time, *_starts(event, append_time)])
        self.updated = max(self.updated, append_time)

    def merge(self, other: SummaryState) -> None:
        """Fold in the state of other events of the run, which remains usable."""
        for path, state in other.keys.items():
            self.keys.setdefault(path, KeyState()).merge(state)
        for mine, theirs in zip(self._assigned(), other._assigned(), strict=True):
            for path, assigned in theirs.entries.items():
                mine.assign(path, assigned)
        for given in other.definitions.given.values():
            for tag, definition in given.items():
                self.definitions.define(tag, definition)
        for writer, earlier in other.continues.items():
            self.continues[writer] = self.continues.get(writer, frozenset()) | earlier
        self._before_branch = self._continued = None
        if other.latest is not None:
            self._see_row(other.latest)
        if other.last_step is not None:
            self.last_step = other.last_step if self.last_step is None else max(self.last_step, other.last_step)
        self.created = min(self.created or other.created, other.created or self.created)
        self.updated = max(self.updated, other.updated)
        self.changed = Changed(keys=True, document=True, rules=True)

    def _continue(self, writer: Writer) -> None:
        known = self.continues.get(writer.id, frozenset())
        if not known.issuperset(writer.continues):
            if self._continued is None:
                self._continued = sum(map(len, self.continues.values()))
            self.continues[writer.id] = known | frozenset(writer.continues)
            self._continued += len(self.continues[writer.id]) - len(known)
            self._before_branch = None
            self.changed.document = self.changed.rules = True
            if self._continued > DEFAULT_LIMITS.run_continues:
                raise LimitExceeded(f"More than {DEFAULT_LIMITS.run_continues} continued writers in a run")

    def _assigned(self) -> tuple[Assignments, ...]:
        return self.manual, self.config, self.attributes, self.metadata

    def _see_row(self, latest: Seen) -> None:
        if self.latest is None or latest.tag > self.latest.tag:
            self.latest = latest

    def _fold_log(self, event: LogEvent, offset: int) -> None:
        if event.branch is not None:
            self._branch_off(event.branch.step, offset, event.writer)
        elif not self._is_past(event.writer, offset):
            self._fold_rows(event, offset)

    def _branch_off(self, step: int, offset: int, writer: Writer) -> None:
        """Discard the keys: what is inherited is not known here; whoever creates the branch also assigns its values."""
        if self.branch is None or self.branch[0] < offset:
            self.keys, self.latest, self.last_step, self.branch = {}, None, step, (offset, writer.id)
            self._before_branch = None
            self.changed = Changed(keys=True, document=True, rules=True)

    def _is_past(self, writer: Writer, offset: int) -> bool:
        """Return whether rows were logged before the run was rewound, even if they arrived later."""
        if self.branch is None or writer.id == self.branch[1]:
            return False
        if self._before_branch is None:
            self._before_branch = earlier_writers(self.continues, self.branch[1])
        return offset < self.branch[0] or writer.id in self._before_branch

    def _fold_rows(self, event: LogEvent, offset: int) -> None:
        if len(self.keys) + len(event.columns) > self.limits.run_keys:
            new = dict.fromkeys(column.path for column in event.columns if column.path not in self.keys)
            left_out = {*islice(new, self.limits.run_keys - len(self.keys), None)}
            if left_out:
                self._mark_full("summary")
            event = replace(event, columns=tuple(each for each in event.columns if each.path not in left_out))
        latest = fold_block(self.keys, event, offset)
        if latest is not None:
            self._see_row(latest)
            step = latest.tag[0]
            self.last_step = step if self.last_step is None else max(self.last_step, step)
        self.changed.keys = True
        self.changed.names.update([column.path[0] for column in event.columns])

    def _fold_changes(self, event: ChangeEvent, offset: int) -> None:
        writer = event.writer
        for record in event.records:
            order = record.order
            for index, entry in enumerate(record.entries):
                tag = (offset, order, index)
                if event.topic is Topic.SUMMARY:
                    self.changed.names.update(entry.path[:1])
                    self._assign("manual", entry, tag, writer, order)
                elif entry.scope is Scope.CONFIG:
                    self._assign("config", entry, tag, writer, order)
                else:
                    self._fold_about_run(entry, tag, writer, order)

    def _mark_full(self, name: str) -> None:
        if name not in self.full:
            self.full.add(name)
            self.changed.document = True

    def _fold_about_run(self, entry: Entry, tag: Tag, writer: Writer, order: int) -> None:
        match entry.scope:
            case Scope.METRIC:
                try:
                    definition, known = _definition(entry), self.definitions.given
                except MalformedEvent:
                    # Kept as an attribute that is never valid, so that readers see it.
                    invalid = entry._replace(path=(INVALID_METRICS, *entry.path[:1]))
                    self._assign("attributes", invalid, (1, *tag), writer, order)
                    return
                if len(known) >= self.limits.run_keys and definition.name not in known:
                    self._mark_full("config")
                else:
                    self.definitions.define(tag, definition)
                    self.changed.document = self.changed.rules = True
            case Scope.ATTRIBUTE | Scope.METADATA:
                part = "attributes" if entry.scope is Scope.ATTRIBUTE else "metadata"
                # Attributes of children and shippers do not describe the run, except for the charts that they log, and
                # those of the primary take precedence over those of workers regardless of order.
                is_chart = part == "attributes" and entry.path[:1] == (CHARTS,)
                if writer.role not in (Role.CHILD, Role.SHIPPER) or entry.path in _FROM_ANY_WRITER or is_chart:
                    rank = 0 if writer.role in (Role.WORKER, Role.UNKNOWN) else 1
                    self._assign(part, entry, (rank, *tag), writer, order)

    def _assign(self, part: str, entry: Entry, tag: Tag, writer: Writer, order: int) -> None:
        target: Assignments = getattr(self, part)
        op, path, text, _ = entry
        if op is not Operation.SET and op is not Operation.REMOVE:
            return
        if len(target.entries) >= self.limits.run_keys and path not in target.entries:
            self._mark_full("summary" if part == "manual" else part)
            return
        value = values.load(text) if op is Operation.SET else Removed
        # Of a document that is written whole, it is of no importance what was assigned.
        if target.assign(path, Assigned(tag, writer.id, order, value)) and not self.changed.document:
            self.changed.assigned.setdefault(part, {})[path] = None
            if part != "manual" and not target.changes_tree(path):
                self.changed.document = True


def contributes(event: Event) -> bool:
    """Return whether an event contributes to a summary state: history rows, and changes of config and summary."""
    if isinstance(event, LogEvent):
        return (event.kind is Kind.DATA or event.kind is Kind.BRANCH) and event.stream is Stream.HISTORY
    return isinstance(event, ChangeEvent) and event.kind is Kind.DATA


def _starts(event: Event, append_time: int) -> Iterator[int]:
    """Yield the times at which a run began according to an event of its config: those of records and ``start_time``."""
    if isinstance(event, ChangeEvent) and event.topic is Topic.CONFIG and event.writer.role in _STARTING:
        for record in event.records:
            yield bounded_time(record.time, append_time)
            for entry in record.entries:
                is_start = entry.scope is Scope.ATTRIBUTE and entry.path == ("start_time",)
                if is_start and (reported := start_time(values.load(entry.value or "null"))) is not None:
                    yield bounded_time(round(reported * 1e6), append_time)


def _definition(entry: Entry) -> Definition:
    if entry.op is Operation.REMOVE:
        return Definition(name=entry.path[0], glob="*" in entry.path[0], overwrite=True)
    return parse(values.load(entry.value))
