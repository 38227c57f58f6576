"""The enumerations of the contract; each has the symbol ``unknown`` for what a newer version wrote."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """The role of a writer in its run."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    WORKER = "worker"
    CHILD = "child"
    SHIPPER = "shipper"
    COMMAND = "command"


class Kind(Enum):
    """The kind of an event."""

    UNKNOWN = "unknown"
    DATA = "data"
    DROPPED = "dropped"
    DELETED = "deleted"
    BEAT = "beat"
    TICK = "tick"
    GOODBYE = "goodbye"
    BRANCH = "branch"


class Stream(Enum):
    """The stream that a block of rows belongs to."""

    UNKNOWN = "unknown"
    HISTORY = "history"
    SYSTEM = "system"
    CONSOLE = "console"


class ColumnType(Enum):
    """The type of the values of a column."""

    UNKNOWN = "unknown"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    NULL = "null"
    JSON = "json"


class Scope(Enum):
    """What the path of a config entry refers to."""

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


class FilePolicy(Enum):
    """When a file is uploaded."""

    UNKNOWN = "unknown"
    NOW = "now"
    LIVE = "live"
    END = "end"


class ArtifactAction(Enum):
    """What a run, or a command, did with an artifact."""

    UNKNOWN = "unknown"
    #: Logged a version.
    LOG = "log"
    #: Used a version as an input.
    USE = "use"
    #: Linked a version to a collection, ``target``.
    LINK = "link"
    #: Contributed files to a version that several writers make.
    UPSERT = "upsert"
    #: Removed the link to ``target``.
    UNLINK = "unlink"
    #: Changed aliases, tags, description, metadata or lifetime: ``changes``.
    UPDATE = "update"


class AlertLevel(Enum):
    """The severity of an alert."""

    UNKNOWN = "unknown"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class RunState(Enum):
    """The state of a run."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    KILLED = "killed"
    PREEMPTING = "preempting"
    PREEMPTED = "preempted"
