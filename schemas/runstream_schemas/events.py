"""The events of the contract as frozen values. Don't subclass them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


class Role(Enum):
    """What a writer is in its run."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    WORKER = "worker"
    CHILD = "child"
    SHIPPER = "shipper"
    COMMAND = "command"


class Kind(Enum):
    """What an event says."""

    UNKNOWN = "unknown"
    DATA = "data"
    DROPPED = "dropped"
    DELETED = "deleted"
    BEAT = "beat"
    TICK = "tick"
    GOODBYE = "goodbye"
    BRANCH = "branch"


class Stream(Enum):
    """Which series of rows a block of the log belongs to."""

    UNKNOWN = "unknown"
    HISTORY = "history"
    SYSTEM = "system"
    CONSOLE = "console"


class ColumnType(Enum):
    """How the values of a column are laid out."""

    UNKNOWN = "unknown"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    NULL = "null"
    JSON = "json"


class Scope(Enum):
    """What the path of a config entry names."""

    UNKNOWN = "unknown"
    CONFIG = "config"
    ATTRIBUTE = "attribute"
    METRIC = "metric"
    METADATA = "metadata"


class Operation(Enum):
    """What an entry does to the value at its path."""

    UNKNOWN = "unknown"
    SET = "set"
    REMOVE = "remove"


class ExitState(Enum):
    """How a writer ended."""

    UNKNOWN = "unknown"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    KILLED = "killed"
    PREEMPTED = "preempted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who wrote an event: 16 random bytes for each process, its role, and the writers it carries on."""

    id: bytes
    role: Role
    continues: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values of one key in a block of rows."""

    path: tuple[str, ...]
    type: ColumnType
    #: uint32, ascending: the rows that have a value; None when every row has one.
    rows: NDArray[np.uint32] | None = None
    #: float64, int64 or bool, one a value; None for null and json.
    values: NDArray[Any] | None = None
    #: json only: one JSON text a value.
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Where the rows of a run go on from: those of a run up to a step, of another (a fork) or of itself (a rewind)."""

    run: RunPath
    #: The last step that counts.
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """A block of rows of a stream of a writer; ``count`` rows from ``seq`` on. Kind branch: no rows, one number."""

    topic = Topic.LOG
    kind: Kind
    run: RunPath
    writer: Writer
    time: int
    seq: int
    count: int
    stream: Stream
    #: int64, one a row.
    orders: NDArray[np.int64]
    #: int64, one a row.
    steps: NDArray[np.int64]
    #: int64, one a row: microseconds since 1970.
    times: NDArray[np.int64]
    columns: Sequence[Column] = ()
    reason: str = ""
    branch: Branch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change: of config (with its scope), or of the summary (scope unknown). ``value`` is JSON text."""

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
class ChangeEvent:
    """Records of the topics ``config`` and ``summary``; ``count`` records from ``seq`` on."""

    topic: Topic
    kind: Kind
    run: RunPath
    writer: Writer
    time: int
    seq: int
    count: int
    records: tuple[Record, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a writer ended, and how many records it appended to each topic."""

    state: ExitState
    #: -1 when not known.
    exit_code: int = -1
    #: 0 none, -1 not known.
    signal: int = 0
    reason: str = ""
    counts: Mapping[Topic, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatEvent:
    """A beat, a tick or a goodbye; ``ending`` is set for a goodbye."""

    topic = Topic.HEARTBEAT
    kind: Kind
    run: RunPath
    writer: Writer
    time: int
    number: int = 0
    order: int = 0
    trainer_alive: bool = False
    interval_ms: int = 0
    pending: int = 0
    host: str = ""
    label: str = ""
    ending: Ending | None = None
    signature: bytes = b""
    #: The trainer has announced that it is about to be preempted.
    preempting: bool = False
    #: Whether the writer has a say in the state of its run.
    decides: bool = True
    #: Of a primary: the run goes on until every writer that decides has ended.
    waits_for_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitEvent:
    """The last record of a writer.

    ``beats``: beats of the writer were sent, or may have been, and a goodbye follows; they alone tell its state.
    """

    topic = Topic.EXIT
    kind: Kind
    run: RunPath
    writer: Writer
    time: int
    seq: int = 0
    count: int = 1
    order: int
    beats: bool = False
    ending: Ending
    #: As in :class:`HeartbeatEvent`.
    decides: bool = True
    waits_for_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """An event of a topic whose values are read as they are: ``file``, ``artifact`` and ``alert``."""

    topic: Topic
    kind: Kind
    run: RunPath
    writer: Writer
    time: int
    seq: int
    count: int = 1
    order: int = 0
    #: The other fields of the Avro record, by name.
    fields: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


Event = LogEvent | ChangeEvent | HeartbeatEvent | ExitEvent | RawEvent
