"""Reads event files into a spool, each row exactly once no matter when the reader is killed."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from runstream.files.file_record import FileRecord
from runstream.files.staging import Staging
from runstream.run_folder.folder import RunFolder
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.sources.shipper_writer import ShipperWriter
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.reader import read_spool
from runstream.spool.refusals import DiskPolicy
from runstream.tensorboard.event_files import EventFile
from runstream.tensorboard.images import EventImages, ImageFile
from runstream.tensorboard.requests import Request, read_requests
from runstream.tensorboard.rows import EventRow, FilePosition, RowBuilder, is_requested, name_prefix, value_name
from runstream_schemas.stored.names import problem_of_name

log = logging.getLogger(__name__)

#: The largest share of time spent on searching for files, since a root may hold millions of them.
_SEARCH_SHARE = 0.05
SOURCE = "tensorboard"
JOURNAL_NAME = "tensorboard.journal"


class Journal:
    """How far the event files were read when each row was made: one line for each row, written before the row.

    A row is either in the spool or not. The number of rows in the spool is the number of valid lines of the journal,
    and the last valid line of a file is where reading resumes. No event is lost or read twice, no matter when the
    reader is killed. Lines after the number of rows that are in spools or delivered are removed.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lines = path.read_bytes().splitlines(keepends=True)[:rows]
        os.ftruncate(self._descriptor, sum(len(line) for line in lines))
        os.lseek(self._descriptor, 0, os.SEEK_END)
        #: How many events are in rows, by file.
        self.positions: dict[str, int] = dict(json.loads(line) for line in lines)

    def add(self, position: FilePosition) -> None:
        """Record how far a file is read when the next row is appended."""
        os.write(self._descriptor, json.dumps([position.file, position.number]).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


@dataclass(slots=True)
class _OpenFile:
    file: EventFile
    images: EventImages
    prefix: str
    #: How many events are in rows of an earlier reader.
    skipped: int


class RunReader:
    """Reads the event files of a run. There must be only one reader of a run at a time."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._writer = ShipperWriter(folder, source=SOURCE, policy=DiskPolicy.BLOCK)
        self._next = count_rows(folder)
        self._journal = Journal(folder.path / JOURNAL_NAME, self._next)
        self._rows = RowBuilder()
        self._files: dict[str, _OpenFile] = {}
        #: When to search the folders below a root again, by the monotonic clock.
        self._search_at = 0.0

    def read(self) -> int:
        """Read the new events; return how many there were."""
        self._open_files(search=time.monotonic() >= self._search_at)
        events = 0
        for path, opened in self._files.items():
            for event in opened.file.read():
                events += 1
                images = opened.images.taken()
                if event.number <= opened.skipped:
                    continue
                for image in images:
                    self._save_image(image)
                if (row := self._rows.add(path, opened.prefix, event)) is not None:
                    self._append(row)
        return events

    def finish(self) -> None:
        """Read the remaining events, since no process writes any more, and close the reader."""
        self._search_at = 0.0
        while self.read():
            pass
        for row in self._rows.close():
            self._append(row)
        self.close()

    def close(self) -> None:
        """Close the spool and the journal. The next reader resumes here."""
        self._writer.end()
        self._journal.close()

    def _open_files(self, *, search: bool) -> None:
        """Open new event files of the requested folders; also below them if ``search`` is True."""
        begun = time.monotonic()
        requests = read_requests(self._folder.path)
        for request in requests:
            if not request.pid and not search:
                continue
            for path in _event_files(request, self._folder.info.started // 1_000_000):
                if path not in self._files:
                    prefix = name_prefix(os.path.dirname(path), request, requests[0].folder)  # noqa: PTH120
                    self._open(path, prefix, save=request.save)
        if search:
            self._search_at = time.monotonic() + (time.monotonic() - begun) / _SEARCH_SHARE

    def _open(self, path: str, prefix: str, *, save: bool) -> None:
        images = EventImages(partial(value_name, prefix))
        try:
            file, size = EventFile(path, images=images), os.stat(path).st_size  # noqa: PTH116 - of a string
        except OSError as error:
            log.warning("Cannot read %s: %s", path, error)
            return
        log.info("Reading %s", path)
        self._files[path] = _OpenFile(file, images, prefix, self._journal.positions.get(path, 0))
        if save:
            self._save_file(path, prefix, size)

    def _save_file(self, path: str, prefix: str, size: int) -> None:
        """Record that an event file is a file of the run, which the shipper reads when this writer has ended.

        A reader that replaces another one records it again: the last content counts.
        """
        shown = path.encode(errors="backslashreplace").decode()
        base = os.path.basename(shown)  # noqa: PTH119 - of a string
        name = value_name(prefix.encode(errors="backslashreplace").decode(), base)
        if problem_of_name(name):  # the folder is not below the root that was requested
            name = base
        if shown == path:
            self._record(FileRecord(path=name, policy="end", source=path, size=size))
        else:
            self._record(FileRecord(path=name, policy="end", lost="its path is not UTF-8"))

    def _save_image(self, image: ImageFile) -> None:
        try:
            staged = Staging(self._folder.path).write(image.data)
        except OSError as error:  # the disk is full
            self._record(FileRecord(path=image.path, policy="now", lost=error.strerror or str(error)))
        else:
            self._record(FileRecord(path=image.path, policy="now", staged=staged.name, size=staged.size))

    def _record(self, record: FileRecord) -> None:
        self._writer.begin().append(TopicCode.FILE, record)

    def _append(self, row: EventRow) -> None:
        # The journal first: a line without a row is removed, but a row without a line would be read twice.
        self._journal.add(row.position)
        self._writer.append(StreamCode.HISTORY, self._next, row.time, row.values)
        self._next += 1


def count_rows(folder: RunFolder) -> int:
    """Return how many rows earlier readers of a run made, whether they are in a spool or delivered."""
    ours = [writer for writer in folder.writers() if folder.writer_info(writer).source == SOURCE]
    # The spools before the ledger: a segment is deleted only after the ledger that lists it as delivered is saved.
    spooled = {writer: _last_row(folder.writer_folder(writer)) for writer in ours}
    ledger = Ledger.load(folder.ledger)
    return sum(max(rows, ledger.floor(writer).get(TopicCode.LOG, 0)) for writer, rows in spooled.items())


def _last_row(writer: Path) -> int:
    """Return the sequence number after that of the last row in a spool; 0 if there is no row."""
    return max((record.seq + 1 for record in read_spool(writer) if record.topic == TopicCode.LOG), default=0)


def _event_files(request: Request, started: int) -> list[str]:
    """Return the event files of a request, oldest first."""
    folder = Path(request.folder)
    paths = folder.rglob("*tfevents*") if not request.pid else folder.glob("*tfevents*")
    found = [path for path in paths if is_requested(path.name, request, started)]
    return [str(path) for path in sorted(found, key=lambda path: (path.name, path))]
