"""The shapes of the API's answers, for its OpenAPI description; the tests hold the answers to them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

#: Whatever a user gave: JSON, with non-finite floats tagged.
Value = Any


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Problem(_Answer):
    """What went wrong."""

    code: str
    message: str


class ProblemAnswer(_Answer):
    """Every answer that is an error."""

    error: Problem


class Project(_Answer):
    """A project."""

    entity: str
    project: str
    runs: int
    updated_at: str
    url: str


class ProjectList(_Answer):
    """Projects, last changed first."""

    projects: list[Project]


class RunDocument(_Answer):
    """A run."""

    entity: str
    project: str
    id: str
    name: str
    #: The two words of a run that was given no name, and its number in its project; ``name`` is made of them.
    generated_name: str | None
    number: int | None
    state: str
    qualifiers: list[str]
    notes: str | None
    tags: list[str]
    group: str | None
    job_type: str | None
    created_at: str | None
    updated_at: str | None
    last_step: int | None
    config: dict[str, Value]
    summary: dict[str, Value]
    metrics: list[dict[str, Value]]
    metadata: dict[str, Value]
    pinned_config_keys: list[str]
    preempting: bool
    stop_requested: bool
    url: str


class NumberAnswer(_Answer):
    """The number of a run in its project."""

    number: int


class RunList(_Answer):
    """A page of runs, newest first."""

    runs: list[RunDocument]
    next: str | None


class WriterState(_Answer):
    """A process that wrote to the run."""

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


class Transition(_Answer):
    """A change of the run's state."""

    time: float
    before: str | None = Field(alias="from")
    to: str
    reason: str


class StopAnswer(_Answer):
    """The processes that were asked to stop, in hexadecimal."""

    writers: list[str]


class StopState(_Answer):
    """The processes that are asked to stop, and after how many seconds a shipper asks again."""

    writers: list[str]
    ask_again_s: float


class StateAnswer(_Answer):
    """The state of a run and how it came about."""

    state: str
    qualifiers: list[str]
    writers: list[WriterState]
    transitions: list[Transition]


class EarlierWriter(_Answer):
    """A process that wrote to a run, and whose work it carried on."""

    writer: str
    role: str
    label: str
    state: str
    continues: list[str]


class Standing(_Answer):
    """How a run stands, for a process that is about to carry it on or to branch off."""

    exists: bool
    state: str | None
    last_step: int | None
    attributes: dict[str, Value]
    config: dict[str, Value]
    metrics: list[dict[str, Value]]
    #: What the summary goes on from, see docs/summary.md; null where nothing is known.
    folds: dict[str, Value] | None
    #: The last value of each key up to the step that was asked for: path and value, oldest first.
    values: list[tuple[list[str], Value]] | None
    writers: list[EarlierWriter]
    #: Records that writers counted at their end and that have not arrived yet.
    on_their_way: int


class Alert(_Answer):
    """An alert; `time` is when the brokers got it, `raised` when it was raised by the clock there."""

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


class TopicDelivery(_Answer):
    """Records of a writer in a topic; ``missing`` are half-open ranges of record numbers."""

    stored: int
    counted: int | None
    missing: list[tuple[int, int]]


class WriterDelivery(_Answer):
    """What has arrived from a writer."""

    writer: str
    role: str
    label: str
    complete: bool
    topics: dict[str, TopicDelivery]


class DeliveryAnswer(_Answer):
    """What has arrived of a run; ``finishing`` and ``incomplete`` as in its qualifiers."""

    complete: bool
    finishing: bool
    incomplete: bool
    writers: list[WriterDelivery]


class Row(BaseModel):
    """A logged row: its values, and where and when it was logged."""

    model_config = ConfigDict(extra="allow")

    step: int = Field(alias="_step")
    timestamp: float = Field(alias="_timestamp")
    runtime: float | None = Field(default=None, alias="_runtime")
    writer: str = Field(alias="_writer")
    late: bool | None = Field(default=None, alias="_late")
    #: Only where hidden rows were asked for: another took its place.
    hidden: bool | None = Field(default=None, alias="_hidden")


class RowPage(_Answer):
    """A page of rows by step."""

    rows: list[Row]
    next: str | None


class SampledRows(_Answer):
    """Rows by step; sampled where there were more than asked for."""

    sampled: bool
    rows: list[Row]


class Series(_Answer):
    """Points of one key and writer; times are seconds since 1970."""

    key: str
    writer: str
    label: str
    #: Of machine metrics only.
    host: str = ""
    steps: list[int]
    times: list[float]
    values: list[Value]


class SeriesList(_Answer):
    """Series, by key and label."""

    series: list[Series]


class ConsoleLine(BaseModel):
    """A line that the run printed."""

    model_config = ConfigDict(extra="allow")

    time: float
    writer: str
    stream: str
    text: str
    label: str
    host: str


class ConsoleAnswer(_Answer):
    """The last lines, oldest first."""

    lines: list[ConsoleLine]
