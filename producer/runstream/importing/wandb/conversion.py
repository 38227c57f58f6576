"""From the records of a ``.wandb`` file to the records of an import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.importing.names import nested
from runstream.importing.records import (
    Alert,
    Attributes,
    Config,
    Damage,
    Ending,
    Metadata,
    MetricDefinition,
    NotImported,
    Record,
    Row,
    Sample,
    StoredArtifact,
    Summary,
)
from runstream.importing.wandb import fields as f
from runstream.importing.wandb.artifacts import artifact
from runstream.importing.wandb.console import Lines
from runstream.importing.wandb.fields import ChangeField, RecordField, RunField
from runstream.importing.wandb.summary import AssignedSummary
from runstream.importing.wandb.values import OWN, UnreadableValueError, items, parsed, seconds
from runstream.importing.wandb.wire import Message, WireError
from runstream_schemas.events import ExitState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ATTRIBUTES = {
    RunField.DISPLAY_NAME: "name",
    RunField.NOTES: "notes",
    RunField.GROUP: "group",
    RunField.JOB_TYPE: "job_type",
    RunField.SWEEP_ID: "sweep_id",
}
_UNSUPPORTED = {
    RecordField.TBRECORD: "the TensorBoard folder is not part of the run: `runstream import tensorboard` imports it",
    RecordField.USE_ARTIFACT: "the artifact is on W&B's server",
    RecordField.LINK_ARTIFACT: "the registry is on W&B's server",
}
#: Records that hold nothing of the user.
_INTERNAL = frozenset({
    RecordField.TELEMETRY, RecordField.FINAL, RecordField.HEADER, RecordField.FOOTER, RecordField.REQUEST,
    RecordField.PREEMPTING, RecordField.FILES,
})  # fmt: skip
#: Fields of a record that are not its kind: number, control, uuid and the like.
_KINDS = {int(kind): kind for kind in RecordField}
_US = 1_000_000
#: The end of the year 9999.
_LAST_SECOND = 253_402_300_799


class Conversion:
    """Converts the records of one file in order."""

    def __init__(self) -> None:
        #: Files that the records name.
        self.listed: list[str] = []
        #: Whether a record describes the machine and the program, as those of new versions do.
        self.has_environment = False
        self._time = self._started = 0
        self._step = -1
        self._lines = Lines()
        self._summary = AssignedSummary()
        self._convert: Mapping[RecordField, Callable[[Message], Iterator[Record]]] = {
            RecordField.RUN: self._run,
            RecordField.CONFIG: self._config,
            RecordField.HISTORY: self._history,
            RecordField.SUMMARY: self._note_summary,
            RecordField.OUTPUT: self._output,
            RecordField.OUTPUT_RAW: self._output,
            RecordField.OUTPUT_LOGGER: self._output,
            RecordField.STATS: self._stats,
            RecordField.ALERT: self._alert,
            RecordField.METRIC: self._metric,
            RecordField.ENVIRONMENT: self._environment,
            RecordField.ARTIFACT: self._artifact,
            RecordField.EXIT: self._exit,
        }

    def add(self, data: bytes) -> Iterator[Record]:
        """Yield what a record of the file means."""
        try:
            message = Message(data)
            kind = next((_KINDS[number] for number in message.fields if number in _KINDS), None)
            if kind is None:
                unknown = [number for number in message.fields if number not in {1, 16, 19, 200}]
                if unknown:
                    yield NotImported(f"records of kind {unknown[0]}", "this kind of record is not known")
            elif (convert := self._convert.get(kind)) is not None:
                content = message.message(kind)
                if content is not None:
                    yield from convert(content)
            elif kind is RecordField.FILES:
                self._note_files(message)
            elif kind not in _INTERNAL:
                yield NotImported(f"{kind.name.lower()} records", _UNSUPPORTED[kind])
        except WireError as error:
            yield Damage(f"a record cannot be read: {error}")

    def close(self) -> Iterator[Record]:
        """Yield what is left at the end of the file."""
        yield from self._lines.close()
        if values := self._summary.values():
            yield Summary(values)

    def _run(self, run: Message) -> Iterator[Record]:
        started = seconds(run.message(RunField.START_TIME))
        self._started = int(started * _US)
        self._time = max(self._time, self._started)
        given: dict[str, Any] = {name: run.text(number) for number, name in _ATTRIBUTES.items()}
        given |= {"tags": run.texts(RunField.TAGS), "start_time": started or None}
        yield Attributes({name: value for name, value in given.items() if value})
        more = {"host": run.text(RunField.HOST), "git": _git(run.message(RunField.GIT))}
        yield Metadata({name: value for name, value in more.items() if value})
        if (config := run.message(RunField.CONFIG)) is not None:
            yield from self._config(config)
        if (summary := run.message(RunField.SUMMARY)) is not None:
            yield from self._note_summary(summary)

    def _config(self, config: Message) -> Iterator[Record]:
        values: dict[tuple[str, ...], Any] = {}
        yield from self._parse(config.messages(ChangeField.UPDATE), values.__setitem__, "config values")
        removed = [path for path, _ in items(config.messages(ChangeField.REMOVE))]
        values = {path: value for path, value in values.items() if path[0] != "_wandb"}
        if values or removed:
            yield Config(values, removed)

    def _history(self, history: Message) -> Iterator[Record]:
        found: dict[tuple[str, ...], Any] = {}
        yield from self._parse(history.messages(ChangeField.UPDATE), found.__setitem__, "values of rows")
        step = history.message(ChangeField.REMOVE)
        self._step = step.number(1) if step is not None else found.get(("_step",), self._step + 1)
        moment = found.get(("_timestamp",))
        if isinstance(moment, int | float) and 0 < moment < _LAST_SECOND:
            self._time = int(moment * _US)
        values = {path: value for path, value in found.items() if path[0] not in OWN}
        for path, value in values.items():
            self._summary.log(path, value)
        if values:
            yield Row(self._step if isinstance(self._step, int) else 0, self._time, nested(values.items()))

    def _note_summary(self, summary: Message) -> Iterator[Record]:
        yield from self._parse(summary.messages(ChangeField.UPDATE), self._summary.update, "summary values")
        for path, _ in items(summary.messages(ChangeField.REMOVE)):
            self._summary.remove(path)

    def _output(self, output: Message) -> Iterator[Record]:
        moment = seconds(output.message(f.OutputField.TIMESTAMP))
        stream = "stdout" if output.number(f.OutputField.TYPE) == 1 else "stderr"
        yield from self._lines.add(stream, int(moment * _US) or self._time, output.text(f.OutputField.LINE))

    def _stats(self, stats: Message) -> Iterator[Record]:
        found: dict[tuple[str, ...], Any] = {}
        yield from self._parse(stats.messages(f.StatsField.ITEM), found.__setitem__, "system metrics")
        moment = seconds(stats.message(f.StatsField.TIMESTAMP))
        values = nested((tuple(path[0].split(".")), value) for path, value in found.items() if path[0] not in OWN)
        if values:
            yield Sample(int(moment * _US) or self._time, values)

    def _alert(self, alert: Message) -> Iterator[Record]:
        level = alert.text(f.AlertField.LEVEL).lower()
        title, text = alert.text(f.AlertField.TITLE), alert.text(f.AlertField.TEXT)
        yield Alert(self._time, title, text, level if level in {"info", "warn", "error"} else "info")

    def _metric(self, metric: Message) -> Iterator[Record]:
        name = metric.text(f.MetricField.NAME) or metric.text(f.MetricField.GLOB_NAME)
        if not name or name in OWN or metric.number(f.MetricField.EXPANDED):
            return  # what W&B made of a definition with a pattern follows from that
        options, summary = metric.message(f.MetricField.OPTIONS), metric.message(f.MetricField.SUMMARY)
        wanted = tuple(name for number, name in f.AGGREGATIONS.items() if summary and summary.number(number))
        yield MetricDefinition(
            name,
            step_metric=metric.text(f.MetricField.STEP_METRIC) or None,
            step_sync=bool(options and options.number(1)) or None,
            hidden=bool(options and options.number(2)) or None,
            summary=wanted or None,
            goal=f.GOALS.get(metric.number(f.MetricField.GOAL)),
        )

    def _environment(self, environment: Message) -> Iterator[Record]:
        found: dict[str, Any] = {name: environment.text(number) for number, name in f.ENVIRONMENT_TEXTS.items()}
        found |= {name: environment.number(number) for number, name in f.ENVIRONMENT_NUMBERS.items()}
        found["args"] = environment.texts(f.ENVIRONMENT_ARGUMENTS)
        found["git"] = _git(environment.message(f.ENVIRONMENT_GIT))
        if known := {name: value for name, value in found.items() if value}:
            self.has_environment = True
            yield Metadata(known)

    def _artifact(self, record: Message) -> Iterator[StoredArtifact | NotImported]:
        yield artifact(record)

    def _exit(self, record: Message) -> Iterator[Record]:
        code = record.number(1)
        state = ExitState.FINISHED if code == 0 else ExitState.FAILED
        # The seconds that the run took are whole ones: the last record may be later.
        ended = self._started + record.number(2) * _US if self._started else 0
        yield Ending(state, code, "" if code == 0 else f"exit code {code}", ended)

    def _note_files(self, message: Message) -> None:
        if (content := message.message(RecordField.FILES)) is not None:
            self.listed += [one.text(1) for one in content.messages(1)]

    def _parse(
        self, messages: list[Message], note: Callable[[tuple[str, ...], Any], None], what: str
    ) -> Iterator[Record]:
        for path, text in items(messages):
            try:
                note(path, parsed(text))
            except UnreadableValueError as error:
                yield NotImported(what, f"{'.'.join(path)!r:.100} is not JSON: {error!s:.100}")


def _git(message: Message | None) -> dict[str, str]:
    found = {} if message is None else {"remote": message.text(1), "commit": message.text(2)}
    return {name: value for name, value in found.items() if value}
