"""What the sources of an import yield: the contents of a run, in terms of no tracker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runstream.exceptions import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from runstream_schemas.events import ExitState

#: The names from the outermost dict to a value.
KeyPath = tuple[str, ...]


class SourceError(Error):
    """A source cannot be read at all; the message has its place and the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """Values that were logged at a step; ``time`` is in microseconds since 1970."""

    step: int
    time: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """System metrics at a time, in microseconds since 1970."""

    time: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the console; ``stream`` is ``stdout`` or ``stderr``."""

    time: int
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Config:
    """Values that are set in the config, and those that are removed from it."""

    values: Mapping[KeyPath, Any]
    removed: Sequence[KeyPath] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """Values that are assigned to the summary."""

    values: Mapping[KeyPath, Any]


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes of the run: name, notes, tags, group, job_type, sweep_id."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the run comes from: host, program, arguments and the like."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """How a metric is summarized, as :class:`runstream.tracking.rows.metric.Metric` records it."""

    name: str
    step_metric: str | None = None
    step_sync: bool | None = None
    hidden: bool | None = None
    summary: tuple[str, ...] | None = None
    goal: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert; ``level`` is ``info``, ``warn`` or ``error``."""

    time: int
    title: str
    text: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the run, at a place on this machine."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Content:
    """A file of the run that is in memory."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """An artifact that the run logged, whose files are on this machine, by their paths in the artifact."""

    name: str
    type: str
    files: Mapping[str, Path]
    references: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    aliases: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NotImported:
    """Something of the source that is not imported, and why."""

    what: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a source that cannot be read; what is before it, or around it, is imported."""

    text: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended; ``time`` in microseconds since 1970, 0 for that of the last record."""

    state: ExitState
    exit_code: int = 0
    reason: str = ""
    time: int = 0


#: One part of a run.
Record = (
    Row
    | Sample
    | Line
    | Config
    | Summary
    | Attributes
    | Metadata
    | MetricDefinition
    | Alert
    | StoredFile
    | Content
    | StoredArtifact
    | NotImported
    | Damage
    | Ending
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRun:
    """A run of a source, or a part of one that one process wrote."""

    #: What reads it: wandb, tensorboard, mlflow or neptune.
    tracker: str
    #: Identifies it in its source, on any machine.
    key: str
    #: Changes whenever the content does.
    fingerprint: str
    run_id: str
    project: str
    #: Where it is, for people.
    place: str
    #: Microseconds since 1970, 0 if unknown.
    started: int
    #: Reads it. The same content yields the same records in the same order.
    records: Callable[[], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class UnreadablePlace:
    """A place of a source that looks like a run and is none."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOutRun:
    """A run of a source that is not to be imported, such as a deleted one."""

    place: str
    reason: str


#: What a source finds.
Found = SourceRun | UnreadablePlace | LeftOutRun
