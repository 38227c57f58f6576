"""An import: each run is recorded whole in a draft folder, named, delivered, and deleted; the journal says how far.

A kill at any point leaves a draft, which is deleted, or a recorded run folder, which is delivered by the next import.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runstream.exceptions import Error, UsageError
from runstream.importing.journal import Entry, ImportJournal
from runstream.importing.names import digest, valid_name
from runstream.importing.recording import RunRecording, part_name, writer_id
from runstream.importing.records import Damage, Found, LeftOutRun, Record, SourceError, SourceRun, UnreadablePlace
from runstream.importing.report import RunReport, Status
from runstream.run_folder.descriptions import RunInfo
from runstream.run_folder.folder import RunFolder, lock
from runstream_schemas.events import Role
from runstream_schemas.topics import canonical_project

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.importing.remote import RemoteRuns
    from runstream.importing.tally import Tally

_DRAFTS = ".importing"
#: Records between two calls of the progress.
_EVERY = 1000

#: Called with the run and how many of its records were read.
Progress = Callable[[SourceRun, int], None]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where runs are imported to: the server's default entity and the projects of the source, unless given."""

    entity: str | None = None
    project: str | None = None

    def project_of(self, run: SourceRun) -> str:
        """Return the project of a run."""
        return canonical_project(self.project or valid_name("project", run.project))


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What earlier imports made of a run."""

    #: The writers, as hexadecimal digits, whose rows the next import hides.
    writers: tuple[str, ...] = ()
    recorded: Mapping[str, int] = field(default_factory=dict)


class DeliveryError(Error):
    """A recorded run could not be delivered; it is kept in its folder."""


class Importer:
    """Imports runs into run folders below ``root``.

    Args:
        root: Parent of the folder ``runstream``.
        destination: Entity and project.
        server: Looks up what the server has; None to record only.
        deliver: Delivers a run folder; returns what was lost, as text; raises DeliveryError with the problem. None to
            record only.
        progress: Called while a run is read.

    Raises:
        UsageError: Another import is running in ``root``, or the folder cannot be written.
    """

    def __init__(
        self,
        root: Path,
        destination: Destination,
        *,
        server: RemoteRuns | None = None,
        deliver: Callable[[Path], str] | None = None,
        progress: Progress = lambda *_: None,
    ) -> None:
        self._folder = root.absolute() / "runstream"
        self._destination = destination
        self._server = server
        self._deliver = deliver
        self._progress = progress
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock(self._folder / "imports.lock")
            self._journal = ImportJournal(self._folder)
        except OSError as error:
            raise UsageError(f"Cannot import into {self._folder}: {error.strerror or error}") from error
        if self._lock is None:
            raise UsageError(f"Another import is running in {self._folder}: wait for it, or use another --dir")

    def close(self) -> None:
        """Let other imports use the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def run(self, found: Iterable[Found]) -> Iterator[RunReport]:
        """Import runs one after the other; yield what became of each. Raises CommError if the server is gone."""
        for one in found:
            if not isinstance(one, SourceRun):
                yield _not_imported(one)
                continue
            report = RunReport(place=one.place, path=self._path(one), status=Status.FAILED)
            try:
                self._import(one, report)
            except (SourceError, DeliveryError, OSError) as error:
                report.status, report.reason = Status.FAILED, str(error)
            yield report

    def _path(self, run: SourceRun) -> str:
        return f"{self._destination.project_of(run)}/{valid_name('run id', run.run_id)}"

    def _key(self, run: SourceRun) -> str:
        return digest(run.tracker, run.key, self._destination.entity or "", self._path(run))

    def _import(self, run: SourceRun, report: RunReport) -> None:
        entry = self._journal.find(self._key(run))
        if entry is None:
            earlier = self._found_on_server(run, report)
            if earlier is None:
                return
            entry = self._record(run, earlier, report.tally)
        elif entry.fingerprint != run.fingerprint:
            if self._folder_of(entry).exists():
                self._finish(entry, report.tally)
            writers = (*entry.earlier, entry.writer)
            entry = self._record(run, _Earlier(writers, entry.recorded), report.tally)
        elif entry.delivered or (self._deliver is None and self._folder_of(entry).exists()):
            if entry.delivered:  # the last import may have been killed before it deleted the folder
                shutil.rmtree(self._folder_of(entry), ignore_errors=True)
            report.status = Status.ALREADY
            return
        elif self._folder_of(entry).exists():
            report.tally.imported.update(entry.recorded)
        else:
            entry = self._record(run, _Earlier(tuple(entry.earlier), entry.skipped), report.tally)
        report.status = Status.RECORDED if self._deliver is None else Status.IMPORTED
        self._finish(entry, report.tally)

    def _finish(self, entry: Entry, tally: Tally) -> None:
        """Deliver a recorded run and delete its folder, unless runs are only recorded."""
        if self._deliver is not None:
            if losses := self._deliver(self._folder_of(entry)):
                tally.leave_out("records", f"lost: {losses}")
            self._journal.note_delivered(entry)
            shutil.rmtree(self._folder_of(entry), ignore_errors=True)

    def _folder_of(self, entry: Entry) -> Path:
        return self._folder / entry.folder

    def _found_on_server(self, run: SourceRun, report: RunReport) -> _Earlier | None:
        """Return what earlier imports made of a run; None, with the status, if there is nothing to import."""
        project, run_id = self._path(run).split("/")
        remote = None if self._server is None else self._server.find(self._destination.entity, project, run_id)
        if remote is None:
            return _Earlier()
        part, own = part_name(run), writer_id(run, project, run_id, Role.PRIMARY)
        if remote.deleted:
            report.status = Status.LEFT_OUT
            report.reason = "it was deleted, and its id cannot be used again: use --project to import another"
        elif remote.fingerprint(part) == run.fingerprint and remote.complete:
            report.status = Status.ALREADY
        elif part in remote.parts and remote.fingerprint(part) != run.fingerprint:
            earlier = tuple(one.hex() for one in remote.writers if one != own)
            return _Earlier(earlier, remote.recorded(part))
        elif remote.parts or own in remote.writers:
            # Another part, or an import that was not delivered whole: the server drops the records that it has.
            return _Earlier()
        else:
            report.reason = f"the run {project}/{run_id} exists and was not imported: use --project to import another"
        return None

    def _record(self, run: SourceRun, earlier: _Earlier, tally: Tally) -> Entry:
        drafts = self._folder / _DRAFTS
        shutil.rmtree(drafts, ignore_errors=True)
        project, run_id = self._path(run).split("/")
        folder = RunFolder.create(drafts, _info(self._destination.entity, project, run_id))
        writers = [bytes.fromhex(writer) for writer in earlier.writers]
        recording = RunRecording(folder, run, writers, earlier.recorded)
        for number, record in enumerate(_readable(run), 1):
            recording.add(record)
            if not number % _EVERY:
                self._progress(run, number)
        recording.end()
        tally.add(recording.tally)
        entry = Entry(
            key=self._key(run),
            fingerprint=run.fingerprint,
            folder=self._name(run, run_id),
            writer=recording.writer.hex(),
            recorded=recording.recorded,
            earlier=earlier.writers,
            skipped=dict(earlier.recorded),
        )
        # First the journal: a folder that it does not name would be recorded again.
        self._journal.add(entry)
        shutil.rmtree(self._folder_of(entry), ignore_errors=True)  # one of the same content, if the journal was lost
        folder.path.rename(self._folder_of(entry))
        shutil.rmtree(drafts, ignore_errors=True)
        return entry

    def _name(self, run: SourceRun, run_id: str) -> str:
        """Return the name of the run folder: that of another import of the run, or of another content, differs."""
        stamp = time.strftime("%Y%m%d_%H%M%S", time.localtime(run.started / 1e6))
        return f"run-{stamp}-{run_id}-{digest(self._key(run), run.fingerprint)[:8]}"


def _not_imported(found: UnreadablePlace | LeftOutRun) -> RunReport:
    status = Status.LEFT_OUT if isinstance(found, LeftOutRun) else Status.FAILED
    return RunReport(place=found.place, status=status, reason=found.reason)


def _info(entity: str | None, project: str, run_id: str) -> RunInfo:
    settings = {"capture_system_metrics": False, "identify_exit_signal": False}
    return RunInfo(run_id=run_id, entity=entity, project=project, mode="offline", name=run_id, settings=settings)


def _readable(run: SourceRun) -> Iterator[Record]:
    """Yield the records of a run; where a source is so damaged that reading stops, that is the last one."""
    try:
        yield from run.records()
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
        yield Damage(f"reading stopped here: {type(error).__name__}: {error!s:.200}")


def count(
    found: Iterable[Found], destination: Destination, progress: Progress = lambda *_: None
) -> Iterator[RunReport]:
    """Read runs without recording them; yield what would be imported."""
    for one in found:
        if not isinstance(one, SourceRun):
            yield _not_imported(one)
            continue
        path = f"{destination.project_of(one)}/{valid_name('run id', one.run_id)}"
        report = RunReport(place=one.place, path=path, status=Status.READABLE)
        try:
            for number, record in enumerate(_readable(one), 1):
                report.tally.count(record)
                if not number % _EVERY:
                    progress(one, number)
        except (SourceError, OSError) as error:
            report.status, report.reason = Status.FAILED, str(error)
        yield report
