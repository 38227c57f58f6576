"""The enumerations of the contract; each has the symbol ``unknown`` for what a newer version wrote."""

from __future__ import annotations

from enum import Enum


class Symbol(Enum):
    """An enumeration whose members are hashed as they are compared, by identity, which Enum does not do."""

    __hash__ = object.__hash__


class Role(Symbol):
    """The role of a writer in its run."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    WORKER = "worker"
    CHILD = "child"
    SHIPPER = "shipper"
    COMMAND = "command"


class Kind(Symbol):
    """The kind of an event."""

    UNKNOWN = "unknown"
    DATA = "data"
    DROPPED = "dropped"
    DELETED = "deleted"
    BEAT = "beat"
    TICK = "tick"
    GOODBYE = "goodbye"
    BRANCH = "branch"


class Stream(Symbol):
    """The stream that a block of rows belongs to."""

    UNKNOWN = "unknown"
    HISTORY = "history"
    SYSTEM = "system"
    CONSOLE = "console"


class ColumnType(Symbol):
    """The type of the values of a column."""

    UNKNOWN = "unknown"
    FLOAT64 = "float64"
    INT64 = "int64"
    BOOL = "bool"
    NULL = "null"
    JSON = "json"


class Scope(Symbol):
    """What the path of a config entry refers to."""

    UNKNOWN = "unknown"
    CONFIG = "config"
    ATTRIBUTE = "attribute"
    METRIC = "metric"
    METADATA = "metadata"


class Operation(Symbol):
    """What an entry does to the value at its path."""

    UNKNOWN = "unknown"
    SET = "set"
    REMOVE = "remove"


class ExitState(Symbol):
    """How a writer ended."""

    UNKNOWN = "unknown"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    KILLED = "killed"
    PREEMPTED = "preempted"


class FilePolicy(Symbol):
    """When a file is uploaded."""

    UNKNOWN = "unknown"
    NOW = "now"
    LIVE = "live"
    END = "end"


class ArtifactAction(Symbol):
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


class AlertLevel(Symbol):
    """The severity of an alert."""

    UNKNOWN = "unknown"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class RunState(Symbol):
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
