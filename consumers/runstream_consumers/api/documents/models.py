"""The responses of the API: routes return these models, and OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

#: A value that a user logged: JSON, with non-finite floats tagged.
Value = Any


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Problem(_Answer):
    """An error."""

    code: str
    message: str


class ProblemAnswer(_Answer):
    """The response of every failed request."""

    error: Problem


class Project(_Answer):
    """A project."""

    entity: str
    project: str
    runs: int
    updated_at: str
    url: str


class ProjectList(_Answer):
    """Projects, most recently changed first."""

    projects: list[Project]


class LostRecords(_Answer):
    """Records of a run that are lost for one reason."""

    topic: str
    reason: str
    count: int


class Branch(_Answer):
    """The point from which a run continues another run (a fork) or itself (a rewind)."""

    #: The path of that run; null if nothing of it has arrived.
    run: str | None
    #: The last step that is continued.
    step: int
    time: float


class Chart(_Answer):
    """A chart: its definition, the columns and texts that this needs by name, and the key of its table in rows."""

    definition: str
    fields: dict[str, str | None]
    strings: dict[str, str | None]
    table: str


class RunDocument(_Answer):
    """A run."""

    entity: str
    project: str
    id: str
    name: str
    #: The generated words of a run without a name, and its number in the project; ``name`` is composed of them.
    generated_name: str | None
    number: int | None
    state: str
    qualifiers: list[str]
    notes: str | None
    tags: list[str]
    group: str | None
    job_type: str | None
    sweep_id: str | None
    created_at: str | None
    updated_at: str | None
    #: When its last process ended; null while it is open.
    ended_at: str | None
    #: How far the clock of its processes is ahead of the broker's in seconds, if that is a minute or more; else null.
    clock_offset_s: float | None
    last_step: int | None
    #: Number of records that are lost, and which, by topic and reason: their writers marked them as dropped.
    lost: int
    losses: list[LostRecords]
    #: The exception that ended the run; null if none did.
    failure: RunFailure | None
    config: dict[str, Value]
    summary: dict[str, Value]
    metrics: list[dict[str, Value]]
    metadata: dict[str, Value]
    #: Keys of long metadata that are left out of lists, joined by dots.
    omitted: list[str] = []
    #: Attributes whose values have a wrong type or are out of range, as they were set.
    invalid_attributes: dict[str, Value]
    pinned_config_keys: list[str]
    #: By the key that each was logged under; empty in lists.
    charts: dict[str, Chart]
    branches: list[Branch]
    preempting: bool
    stop_requested: bool
    url: str


class NumberAnswer(_Answer):
    """The number of a run in its project, and whether the run was deleted."""

    number: int
    deleted: bool = False


class RunList(_Answer):
    """A page of runs."""

    runs: list[RunDocument]
    next: str | None
    #: Whether there are runs with more keys of config and summary than they are found by.
    truncated: bool


class RunCount(_Answer):
    """A number of runs."""

    count: int


class Failure(_Answer):
    """The exception that ended a process."""

    type: str
    message: str
    #: As Python prints it; null in lists of runs.
    traceback: str | None


class RunFailure(Failure):
    """The exception that ended a run, and the process that raised it."""

    writer: str
    role: str
    label: str


class WriterState(_Answer):
    """A process that writes to the run."""

    writer: str
    role: str
    label: str
    host: str
    state: str
    qualifiers: list[str]
    last_time: float
    exit_code: int | None
    signal: int | None
    reason: str
    failure: Failure | None
    #: The writers that it continues, after a resume.
    continues: list[str]


class Transition(_Answer):
    """A change of the run's state."""

    time: float
    before: str | None = Field(
        validation_alias=AliasChoices("from", "before"), serialization_alias="from", description="The state before"
    )
    to: str
    reason: str


class StopAnswer(_Answer):
    """The writers that were asked to stop, in hexadecimal."""

    writers: list[str]


class StopState(_Answer):
    """The writers that are asked to stop, and the number of seconds after which a shipper should ask again."""

    writers: list[str]
    #: Whether the run was deleted: then every process of it should stop.
    deleted: bool
    ask_again_s: float


class StateAnswer(_Answer):
    """The state of a run, its writers, and its transitions."""

    state: str
    qualifiers: list[str]
    writers: list[WriterState]
    transitions: list[Transition]


class EarlierWriter(_Answer):
    """A writer of a run, with the writers that it continues."""

    writer: str
    role: str
    label: str
    state: str
    continues: list[str]


class ResumeState(_Answer):
    """What a process needs to resume or branch a run."""

    exists: bool
    #: Whether the run was deleted; then it does not exist, and its id cannot be used.
    deleted: bool
    state: str | None
    last_step: int | None
    attributes: dict[str, Value]
    config: dict[str, Value]
    metrics: list[dict[str, Value]]
    #: The summary state (docs/summary.md); null if the run is unknown.
    folds: dict[str, Value] | None
    #: The last value of each key up to the requested step: path and value, oldest first.
    values: list[tuple[list[str], Value]] | None
    writers: list[EarlierWriter]
    #: Number of records that ended writers counted and that have not arrived yet.
    on_their_way: int


class Alert(_Answer):
    """An alert; `time` is its append time at the broker, `raised` is by the clock of the process that raised it."""

    entity: str
    project: str
    run: str
    title: str
    full_title: str
    text: str
    level: str
    wait_duration: float
    time: float
    raised: float
    writer: str
    repeat: bool
    repeats: int


class AlertList(_Answer):
    """A page of alerts."""

    alerts: list[Alert]
    next: str | None


class Loss(_Answer):
    """Records of a writer in a topic that are lost for one reason, as half-open ranges of record numbers."""

    reason: str
    count: int
    ranges: list[tuple[int, int]]


class TopicDelivery(_Answer):
    """Records of a writer in a topic: ``stored`` and ``lost`` add up to ``counted`` once all have arrived."""

    #: Number of records that the consumer that owns the topic has stored.
    stored: int
    #: Number of records that the writer marked as dropped.
    lost: int = 0
    losses: list[Loss] = []
    #: Number of records that the writer reported at its end; null before.
    counted: int | None
    #: Half-open ranges of record numbers that exist and are not stored.
    missing: list[tuple[int, int]]

    @property
    def has_arrived(self) -> bool:
        """Whether every record that the writer counted is stored or lost."""
        return self.counted is not None and not self.missing and self.stored + self.lost >= self.counted


class WriterDelivery(_Answer):
    """What has arrived from a writer."""

    writer: str
    role: str
    label: str
    #: Every record that the writer counted is stored.
    complete: bool
    #: Every record that the writer counted is stored or lost.
    arrived: bool
    #: Number of lost records.
    lost: int
    topics: dict[str, TopicDelivery]


class Quarantined(_Answer):
    """Messages of a run that a consumer could not decode or apply for one reason; they can be applied again."""

    consumer: str
    topic: str
    reason: str
    messages: int


class DeliveryReport(_Answer):
    """What has arrived of a run; ``finishing`` and ``incomplete`` as in its qualifiers."""

    #: Everything is stored.
    complete: bool
    #: Nothing more is expected: every record is stored or lost.
    arrived: bool
    #: Number of lost records.
    lost: int
    finishing: bool = False
    incomplete: bool = False
    writers: list[WriterDelivery]
    #: Why records are missing though they were delivered, the most messages first.
    quarantined: list[Quarantined] = []


class HistoryRow(BaseModel):
    """A logged row: its values, its position and its time."""

    model_config = ConfigDict(extra="allow")

    step: int = Field(alias="_step")
    timestamp: float = Field(alias="_timestamp")
    runtime: float | None = Field(default=None, alias="_runtime")
    writer: str = Field(alias="_writer")
    late: bool | None = Field(default=None, alias="_late")
    #: Present only if hidden rows were requested: the row was replaced by a resume or a rewind.
    hidden: bool | None = Field(default=None, alias="_hidden")


class RowPage(_Answer):
    """A page of rows by step."""

    rows: list[HistoryRow]
    next: str | None


class SampledRows(_Answer):
    """Rows by step; sampled if there are more than requested."""

    sampled: bool
    rows: list[HistoryRow]


class Series(_Answer):
    """Points of one key and writer; times are seconds since 1970."""

    key: str
    writer: str
    label: str
    #: For system metrics only.
    host: str = ""
    steps: list[int]
    times: list[float]
    values: list[Value]


class SeriesList(_Answer):
    """Series, ordered by key and label."""

    series: list[Series]


class ConsoleLine(BaseModel):
    """A line of the console."""

    model_config = ConfigDict(extra="allow")

    time: float
    writer: str
    stream: str
    text: str
    label: str
    host: str


class ConsoleAnswer(_Answer):
    """Lines of the console, oldest first."""

    lines: list[ConsoleLine]
    #: `before` of a request for the lines before these; null if there are none.
    earlier: str | None
    #: `after` of a request for the lines that arrive later.
    next: str
