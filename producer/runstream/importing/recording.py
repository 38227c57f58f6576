"""The one place that writes an imported run: into a run folder, as of a script, with the times of the source.

The ids of the writers follow from the source and its content. So a run that is imported twice has the same records
under the same numbers, and consumers drop the second ones, whatever became of the first import.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

import msgspec

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.recording import RunArtifacts
from runstream.exceptions import DataError
from runstream.files.run_files import RunFiles
from runstream.importing.records import (
    Alert,
    Attributes,
    Config,
    Content,
    Damage,
    Ending,
    Line,
    Metadata,
    MetricDefinition,
    NotImported,
    Record,
    Row,
    Sample,
    SourceRun,
    StoredArtifact,
    StoredFile,
    Summary,
)
from runstream.importing.tally import Tally
from runstream.run_names import validate_tags
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.refusals import DiskPolicy
from runstream.spool.writer import SpoolWriter
from runstream.terminal.terminal import Terminal
from runstream.tracking.rows.metric import build_metric
from runstream.tracking.run.alert import build_alert
from runstream.tracking.values.encoder import ValueEncoder
from runstream.tracking.values.entries import recordable
from runstream_schemas.events import ExitState, Operation, Role, Scope
from runstream_schemas.values import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runstream.files.staging import StagedFile
    from runstream.run_folder.folder import RunFolder

_INT64 = range(-(2**63), 2**63)
#: The end of the year 9999 in microseconds: no later time is one.
_LAST_TIME = 253_402_300_799_000_000
_HIDES_ALL = -(2**63)
SOURCE = "import"
#: What of an earlier import is not recorded again.
_KEPT = ("console lines", "system samples", "alerts")
_TEXTS = ("name", "notes", "group", "job_type", "sweep_id")


class RunRecording:
    """Records one run of a source into a run folder; raises OSError if the disk is full.

    Args:
        folder: The run folder.
        run: The run of the source.
        earlier: The writers of earlier imports of an earlier content: their rows are hidden.
        skipped: How many lines, samples and alerts earlier imports recorded, which are not recorded again.
    """

    def __init__(
        self, folder: RunFolder, run: SourceRun, earlier: Sequence[bytes] = (), skipped: Mapping[str, int] | None = None
    ) -> None:
        self.tally = Tally()
        self._folder = folder
        self._run = run
        self._skipped = Counter(skipped or {})
        self._left = Counter(self._skipped)
        self._time = run.started or _now()
        self._files = RunFiles(folder.path, lambda record: self._writer.append(TopicCode.FILE, record))
        self._encoder = ValueEncoder(warn=lambda text, *_: self.tally.note(text), files=self._files)
        self._encode = msgspec.msgpack.Encoder().encode
        self._earlier = tuple(earlier)
        self._writer = self._create_writer(Role.PRIMARY)
        #: Of console and system metrics, whose rows would divide those of the history into small blocks.
        self._side: SpoolWriter | None = None
        self._ended = False
        if earlier:
            self._writer.append_branch(None, _HIDES_ALL)

    @property
    def writer(self) -> bytes:
        """The writer of the rows."""
        return writer_id(self._run, self._folder.info.project, self._folder.info.run_id, Role.PRIMARY)

    @property
    def recorded(self) -> dict[str, int]:
        """How many records of each kind this import and earlier ones recorded; of rows, this one."""
        return dict(self.tally.imported + Counter({name: self._skipped[name] for name in _KEPT}))

    def add(self, record: Record) -> None:
        """Record a part of the run; what cannot be recorded is counted with the reason."""
        if self._ended:
            self.tally.leave_out("records after the end", "the source goes on after the end of the run")
        else:
            self._add(record)

    def end(self) -> None:
        """Record the end, unless the source did not; the folder can be delivered from then on."""
        if not self._ended:
            self._end(Ending(ExitState.CRASHED, reason="the source has no end of the run"))

    @singledispatchmethod
    def _add(self, record: Any) -> None:
        self.tally.leave_out(type(record).__name__, "it is not supported")

    @_add.register
    def _row(self, record: Row) -> None:
        if record.step not in _INT64:
            self.tally.leave_out("rows", "the step is beyond 64 bits")
            return
        try:
            values = self._encoder.row(record.values, record.step)
            payload = self._encode(values)
            if (fitted := self._encoder.fitted_row(values, len(payload), record.step)) is not values:
                payload = self._encode(fitted)
        except (DataError, ValueError, TypeError, RecursionError) as error:
            self.tally.leave_out("rows", str(error)[:200])
            return
        self._note_time(record.time)
        self._writer.append_whole_row(StreamCode.HISTORY, record.step, self._valid(record.time), payload)
        self.tally.imported["rows"] += 1

    @_add.register
    def _sample(self, record: Sample) -> None:
        number = max(record.time - self._run.started, 0) // 1_000_000
        self._add_aside(StreamCode.SYSTEM, "system samples", number, record.time, self._encoder.row(record.values))

    @_add.register
    def _line(self, record: Line) -> None:
        number = self.tally.imported["console lines"] + self._skipped["console lines"]
        row = {"stream": record.stream, "text": record.text, "label": "", "host": ""}
        self._add_aside(StreamCode.CONSOLE, "console lines", number, record.time, self._encoder.row(row))

    @_add.register
    def _config(self, record: Config) -> None:
        scope, put, remove = Scope.CONFIG.value, Operation.SET.value, Operation.REMOVE.value
        entries = [[scope, put, [*path], self._value(path, value)] for path, value in record.values.items()]
        self._append(TopicCode.CONFIG, entries + [[scope, remove, [*path], None] for path in record.removed])
        self.tally.imported["config values"] += len(record.values)

    @_add.register
    def _summary(self, record: Summary) -> None:
        put = Operation.SET.value
        entries = [[put, [*path], self._value(path, value)] for path, value in record.values.items()]
        self._append(TopicCode.SUMMARY, entries)
        self.tally.imported["summary values"] += len(entries)

    @_add.register
    def _attributes(self, record: Attributes) -> None:
        values = {name: value for name, value in record.values.items() if value not in (None, "", [], ())}
        values |= {name: str(values[name]) for name in _TEXTS if name in values}
        if "tags" in values:
            values["tags"] = self._tags(values["tags"])
        self._append_scope(Scope.ATTRIBUTE, values)

    @_add.register
    def _metadata(self, record: Metadata) -> None:
        self._append_scope(Scope.METADATA, record.values)

    @_add.register
    def _metric(self, record: MetricDefinition) -> None:
        try:
            metric = build_metric(
                record.name,
                step_metric=record.step_metric,
                step_sync=record.step_sync,
                hidden=record.hidden,
                summary=",".join(record.summary or ()) or None,
                goal=record.goal,
                overwrite=None,
            )
        except Exception as error:  # noqa: BLE001 - Error of an argument, or what a hostile name raises
            self.tally.leave_out("metric definitions", str(error)[:200])
            return
        self._append_scope(Scope.METRIC, {metric.name: metric.as_record()})
        self.tally.imported["metric definitions"] += 1

    @_add.register
    def _alert(self, record: Alert) -> None:
        self._note_time(record.time)
        if not self._is_known("alerts"):
            alert = build_alert(record.title, record.text, record.level.upper(), None, Terminal(silent=True))
            self._writer.append(TopicCode.ALERT, self._encoder.value(alert))
            self.tally.imported["alerts"] += 1

    @_add.register
    def _file(self, record: StoredFile) -> None:
        staging = self._files.staging
        self._add_file(record.name, lambda: staging.link(str(record.path), record.path.stat().st_size))

    @_add.register
    def _content(self, record: Content) -> None:
        self._add_file(record.name, lambda: self._files.staging.write(record.data))

    def _add_file(self, name: str, stage: Callable[[], StagedFile]) -> None:
        try:
            staged = stage()
        except OSError as error:
            self.tally.leave_out("files", f"{name!r:.200}: {error.strerror or error}")
            return
        self._files.add(name, staged)
        self.tally.imported["files"] += 1
        self.tally.imported["bytes of files"] += staged.size

    @_add.register
    def _artifact(self, record: StoredArtifact) -> None:
        try:
            artifact = _draft(record)
            described = {
                "action": "log",
                "name": artifact.name.partition(":")[0],
                "type": artifact.type,
                "metadata": dump(self._encoder.value(record.metadata)) if record.metadata else None,
                "description": record.description,
                "aliases": list(record.aliases),
                "finalize": True,
            }
            recorded = RunArtifacts(self._folder.path, self._append_artifact)
            recorded.log(artifact.manifest, described)
        except (OSError, ValueError, TypeError) as error:
            self.tally.leave_out("artifacts", f"{record.name!r:.100}: {error!s:.200}")
            return
        self.tally.imported["artifacts"] += 1

    def _append_artifact(self, record: Mapping[str, Any]) -> None:
        self._writer.append(TopicCode.ARTIFACT, record)

    @_add.register
    def _left_out(self, record: NotImported) -> None:
        self.tally.leave_out(record.what, record.reason, record.count)

    @_add.register
    def _damaged(self, record: Damage) -> None:
        self.tally.note_damage(record.text)

    @_add.register
    def _end(self, record: Ending) -> None:
        self._ended = True
        self._note_time(record.time)
        self._append_part()
        exit_record = {"state": record.state.value, "exit_code": record.exit_code, "signal": 0, "reason": record.reason}
        self._writer.append_last(exit_record)
        if self._side is not None:
            self._side.append_last({"state": "finished", "exit_code": 0, "signal": 0, "reason": ""})

    def _append_part(self) -> None:
        """Record, last of the config, that this content is imported: another import finds it on the server."""
        part = {"fingerprint": self._run.fingerprint, "recorded": self.recorded}
        path = ["import", "parts", part_name(self._run)]
        self._append(TopicCode.CONFIG, [[Scope.METADATA.value, Operation.SET.value, path, part]])

    def _add_aside(self, stream: StreamCode, what: str, number: int, moment: int, row: dict[str, Any]) -> None:
        self._note_time(moment)
        if self._is_known(what):
            return
        if self._side is None:
            self._side = self._create_writer(Role.SHIPPER)
        self._side.append_whole_row(stream, number, self._valid(moment), self._encode(row))
        self.tally.imported[what] += 1

    def _is_known(self, what: str) -> bool:
        """Return whether the next of a kind was recorded by an earlier import, and count it."""
        self._left[what] -= 1
        return self._left[what] >= 0

    def _append_scope(self, scope: Scope, values: Mapping[str, Any]) -> None:
        put = Operation.SET.value
        self._append(
            TopicCode.CONFIG, [[scope.value, put, [key], self._value((key,), one)] for key, one in values.items()]
        )

    def _append(self, topic: TopicCode, entries: Sequence[list[Any]]) -> None:
        if entries:
            for record in recordable(entries, self._encoder, topic.name.lower()):
                self._writer.append(topic, record)

    def _value(self, path: Sequence[str], value: Any) -> Any:
        try:
            return self._encoder.value(value, whole=True)
        except (DataError, ValueError, TypeError, RecursionError) as error:
            self.tally.note(f"{'.'.join(path):.100} is recorded as text: {error!s:.100}")
            return str(value)

    def _tags(self, tags: Any) -> list[str]:
        found: list[str] = []
        for tag in tags:
            try:
                found += validate_tags(str(tag))
            except ValueError as error:
                self.tally.leave_out("tags", str(error)[:200])
        return list(dict.fromkeys(found))

    def _create_writer(self, role: Role) -> SpoolWriter:
        identifier = writer_id(self._run, self._folder.info.project, self._folder.info.run_id, role)
        continues = self._earlier if role is Role.PRIMARY else ()
        path, _ = self._folder.create_writer(role, "", source=SOURCE, writer=identifier, continues=continues)
        return SpoolWriter(path, identifier, policy=DiskPolicy.RAISE, clock=lambda: self._time)

    def _note_time(self, moment: int) -> None:
        """Let the records of other topics have the latest time so far."""
        self._time = max(self._time, self._valid(moment))

    @staticmethod
    def _valid(moment: int) -> int:
        return moment if 0 <= moment <= _LAST_TIME else 0


def writer_id(run: SourceRun, project: str, run_id: str, role: Role) -> bytes:
    """Return the id of a writer of an imported run, which follows from the content."""
    parts = ("runstream import 1", run.tracker, run.key, run.fingerprint, project, run_id, role.value)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:16]


def part_name(run: SourceRun) -> str:
    """Return the name of a part of a run in the metadata ``import.parts``."""
    return hashlib.sha256(f"{run.tracker}\0{run.key}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _draft(record: StoredArtifact) -> Artifact:
    artifact = Artifact(record.name, record.type)
    for name, path in record.files.items():
        artifact.add_file(str(path), name=name, policy="immutable")
    for name, reference in record.references.items():
        artifact.add_reference(reference, name=name, checksum=False)
    return artifact


def _now() -> int:
    return time.time_ns() // 1000
