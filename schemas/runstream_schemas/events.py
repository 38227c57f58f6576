"""The events of the contract as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from runstream_schemas.symbols import (
    AlertLevel,
    ArtifactAction,
    ColumnType,
    ExitState,
    FilePolicy,
    Kind,
    Operation,
    Role,
    RunState,
    Scope,
    Stream,
)
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "STATE_WRITER",
    "AlertEvent",
    "AlertLevel",
    "ArtifactAction",
    "ArtifactEvent",
    "Branch",
    "ChangeEvent",
    "Column",
    "ColumnType",
    "Ending",
    "Entry",
    "Event",
    "ExitEvent",
    "ExitState",
    "Failure",
    "FileContent",
    "FileEvent",
    "FilePolicy",
    "Header",
    "HeartbeatEvent",
    "Kind",
    "LogEvent",
    "NumberedEvent",
    "Operation",
    "PlainEvent",
    "Record",
    "Role",
    "RunState",
    "Scope",
    "StateEvent",
    "Stream",
    "Writer",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The writer of an event."""

    id: bytes  # 16 random bytes, made when the writer starts
    role: Role
    #: The writers that this one continues (resume).
    continues: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields that events of every topic have."""

    kind: Kind
    run: RunPath
    writer: Writer
    #: Client clock, microseconds since 1970.
    time: int
    #: Sequence number of the first record. Heartbeats have neither ``seq`` nor ``count``.
    seq: int = 0
    count: int = 1
    #: Order of the append; 0 for rows and changes, which have an order each.
    order: int = 0
    #: Why the records were dropped; of a state event, why the state changed.
    reason: str = ""

    def with_records(self, seq: int, count: int) -> Header:
        """Return the header for ``count`` records from ``seq`` on."""
        return replace(self, seq=seq, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Headed:
    """Gives events the fields of their header as attributes."""

    header: Header

    @property
    def kind(self) -> Kind:
        """The kind of the event."""
        return self.header.kind

    @property
    def run(self) -> RunPath:
        """The run of the event; its names are empty for a tick."""
        return self.header.run

    @property
    def writer(self) -> Writer:
        """The writer of the event."""
        return self.header.writer

    @property
    def time(self) -> int:
        """Client clock, microseconds since 1970."""
        return self.header.time

    @property
    def seq(self) -> int:
        """Sequence number of the first record."""
        return self.header.seq

    @property
    def count(self) -> int:
        """Number of records."""
        return self.header.count

    @property
    def order(self) -> int:
        """Order of the append, for events of a single record."""
        return self.header.order

    @property
    def reason(self) -> str:
        """Why the records were dropped, or the state changed."""
        return self.header.reason


class Column(NamedTuple):
    """The values of one key path in a block of rows."""

    path: tuple[str, ...]
    type: ColumnType
    #: uint32, ascending: the rows that have a value; None if every row has one.
    rows: NDArray[np.uint32] | None = None
    #: float64, int64 or bool, one per value; None for null and json.
    values: NDArray[Any] | None = None
    #: json only: one JSON text per value.
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The run whose rows a run inherits up to a step: another run (a fork) or itself (a rewind)."""

    run: RunPath
    #: The last step that is inherited.
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent(_Headed):
    """A block of rows of one stream. Kind branch has no rows, but uses one sequence number."""

    topic = Topic.LOG
    stream: Stream
    #: int64, one per row.
    orders: NDArray[np.int64]
    #: int64, one per row.
    steps: NDArray[np.int64]
    #: int64, one per row: microseconds since 1970.
    times: NDArray[np.int64]
    columns: Sequence[Column] = ()
    branch: Branch | None = None


class Entry(NamedTuple):
    """One change of the config (with its scope) or of the summary (scope unknown). ``value`` is JSON text."""

    op: Operation
    path: tuple[str, ...]
    value: str = "null"
    scope: Scope = Scope.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Changes that were made together."""

    order: int
    time: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEvent(_Headed):
    """Records of the topics ``config`` and ``summary``."""

    topic: Topic
    records: tuple[Record, ...] = ()
    #: Who made the request; only for the role command.
    principal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a writer ended, and how many records it appended to each topic. Exit code and signal are -1 if not known."""

    state: ExitState
    exit_code: int = -1
    signal: int = 0
    reason: str = ""
    counts: Mapping[Topic, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatEvent(_Headed):
    """A beat, a tick, or a goodbye. Its ``order`` is the writer's next order."""

    topic = Topic.HEARTBEAT
    number: int = 0
    trainer_alive: bool = False
    interval_ms: int = 0
    pending: int = 0  # records that no broker has acknowledged
    host: str = ""
    label: str = ""
    ending: Ending | None = None  # set for a goodbye
    signature: bytes = b""
    #: Whether the training process has announced its preemption.
    preempting: bool = False
    #: Whether the writer's end counts for the state of its run.
    decides: bool = True
    #: Of a primary: whether the run goes on until every writer that decides has ended.
    waits_for_all: bool = False
    #: Of a tick: the runs of all partitions that have a running writer, and how many of them are silent; 0 if none is.
    open_runs: int = 0
    silent_runs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The exception that ended a process: its class with the module, its text, the traceback as Python prints it."""

    type: str
    message: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitEvent(_Headed):
    """The last record of a writer, with the exception that ended its process, if one did."""

    topic = Topic.EXIT
    ending: Ending
    #: Whether heartbeats of the writer may have been sent. Then a goodbye follows, and only heartbeats set its state.
    beats: bool = False
    decides: bool = True
    waits_for_all: bool = False
    failure: Failure | None = None


class FileContent(NamedTuple):
    """One of the files of an event that names several."""

    path: str
    size: int = 0
    sha256: bytes = b""
    object_key: str = ""
    media_type: str = ""
    #: Why this file is lost; empty if it is stored.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvent(_Headed):
    """A file of a run, or several small ones. Its bytes are in the object store under ``object_key``."""

    topic = Topic.FILE
    path: str = ""
    policy: FilePolicy = FilePolicy.UNKNOWN
    size: int = 0
    sha256: bytes = b""
    object_key: str = ""
    media_type: str = ""
    #: Of a command: who made it.
    principal: str = ""
    #: The files of a record that names several; ``path`` is then empty. :attr:`contents` are those of any record.
    files: Sequence[FileContent] = ()

    @property
    def contents(self) -> Sequence[FileContent]:
        """What the event states of each file that it names: ``files``, or itself if it does not name several."""
        if self.files:
            return self.files
        reason = self.header.reason if self.header.kind is Kind.DROPPED else ""
        return (FileContent(self.path, self.size, self.sha256, self.object_key, self.media_type, reason),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEvent(_Headed):
    """What a run, or a command, did with a version of an artifact, or with a collection.

    ``kind`` deleted: the version, or the collection if ``version`` is -1, was deleted.
    """

    topic = Topic.ARTIFACT
    action: ArtifactAction = ArtifactAction.UNKNOWN
    name: str = ""
    type: str = ""
    #: SHA-256 of the manifest.
    digest: bytes = b""
    aliases: Sequence[str] = ()
    tags: Sequence[str] = ()
    metadata: str = "{}"  # JSON text
    manifest_key: str = ""
    #: Of a link: the collection, ``entity/project/name``.
    target: str = ""
    distributed_id: str = ""
    #: Where the collection ``name`` is; empty for the entity and the project of the run.
    artifact_entity: str = ""
    artifact_project: str = ""
    #: Number of the version in its collection; -1 if the event is not about one version.
    version: int = -1
    #: Numbers the decisions about a collection; of two that contradict each other, the greater one is in force.
    decision: int = 0
    #: Bytes and number of the files of the version.
    size: int = 0
    file_count: int = 0
    description: str = ""
    #: Lifetime of the version in seconds; 0 for that of its collection, -1 for no end.
    ttl_s: int = 0
    #: Of a contribution: the unfinished version that it is a part of.
    draft: str = ""
    #: Of a use: what the artifact was used as.
    use_as: str = ""
    #: Of a link: number and decision of the version in the collection ``target``.
    target_version: int = -1
    target_decision: int = 0
    #: Of an update: what was changed, JSON text.
    changes: str = "{}"
    #: Of a command: who made it.
    principal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent(_Headed):
    """An alert that a run raised."""

    topic = Topic.ALERT
    title: str = ""
    #: The complete title if ``title`` was shortened; else empty.
    full_title: str = ""
    text: str = ""
    level: AlertLevel = AlertLevel.UNKNOWN
    #: Time during which repeated alerts of the same title are not shown.
    wait_duration_ms: int = 0


#: The writer of all state events, which are numbered by run.
STATE_WRITER = Writer(id=b"runstream-states", role=Role.COMMAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEvent(_Headed):
    """A transition of a run's state: ``seq`` numbers those of the run, ``time`` is the append time of its cause."""

    topic = Topic.STATE
    previous: RunState = RunState.UNKNOWN  # unknown for the first transition of a run
    state: RunState = RunState.UNKNOWN
    qualifiers: Sequence[str] = ()
    #: Id of the writer that caused the transition; empty if none did.
    cause: bytes = b""


#: An event of a topic with fields of plain values only.
PlainEvent = FileEvent | ArtifactEvent | AlertEvent
#: An event whose records have sequence numbers.
NumberedEvent = LogEvent | ChangeEvent | ExitEvent | StateEvent | PlainEvent
Event = NumberedEvent | HeartbeatEvent
