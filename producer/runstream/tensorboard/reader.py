"""From event files to rows in a spool of its own, each row once whatever happens to the reader."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runstream.shipper.delivery.ledger import Ledger
from runstream.shipper.sources.shipper_writer import ShipperWriter
from runstream.spool.format import StreamCode, TopicCode
from runstream.spool.reader import SpoolReader
from runstream.spool.writer import DiskPolicy
from runstream.tensorboard.event_files import EventFile
from runstream.tensorboard.journal import Journal
from runstream.tensorboard.requests import requests_of
from runstream.tensorboard.rows import Rows, is_of, prefix_of

if TYPE_CHECKING:
    from runstream.run_folder.folder import RunFolder
    from runstream.tensorboard.requests import Request
    from runstream.tensorboard.rows import Row

log = logging.getLogger(__name__)

#: A search takes at most this part of the time: a root may hold millions of files.
_SEARCHING = 0.05
SOURCE = "tensorboard"
JOURNAL_NAME = "tensorboard.journal"


@dataclass(slots=True)
class _Followed:
    file: EventFile
    prefix: str
    #: Events that are in rows already.
    taken: int


class Reader:
    """Reads the event files of one run; nobody else does at the same time.

    Args:
        folder: The run.

    Raises:
        OSError: The journal cannot be opened.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._writer = ShipperWriter(folder, source=SOURCE, policy=DiskPolicy.BLOCK)
        self._next = rows_taken(folder)
        self._journal = Journal(folder.path / JOURNAL_NAME, self._next)
        self._rows = Rows()
        self._files: dict[str, _Followed] = {}
        #: When the folders below a root are looked through again, by the monotonic clock.
        self._search_at = 0.0

    def read(self) -> int:
        """Take what was written since; return how many events that was.

        Raises:
            OSError: The disk is full.
        """
        self._find(search=time.monotonic() >= self._search_at)
        events = 0
        for path, followed in self._files.items():
            for point in followed.file.read():
                events += 1
                if point.number <= followed.taken:
                    continue
                row = self._rows.add(path, followed.prefix, point)
                if row is not None:
                    self._append(row)
        return events

    def finish(self) -> None:
        """Take all that is left: nobody writes any more."""
        self._search_at = 0.0
        while self.read():
            pass
        for row in self._rows.close():
            self._append(row)
        self.close()

    def close(self) -> None:
        """Leave the rest to the next reader."""
        self._writer.end()
        self._journal.close()

    def _find(self, *, search: bool) -> None:
        """Follow the event files that are new; ``search`` for those of writers that did not tell of themselves, too."""
        begun = time.monotonic()
        requests = requests_of(self._folder.path)
        for request in requests:
            if request.searched and not search:
                continue
            for path in _event_files(request, self._folder.info.started // 1_000_000):
                if path not in self._files:
                    self._follow(path, prefix_of(os.path.dirname(path), request, requests[0].folder))  # noqa: PTH120
        if search:
            self._search_at = time.monotonic() + (time.monotonic() - begun) / _SEARCHING

    def _follow(self, path: str, prefix: str) -> None:
        try:
            file = EventFile(path)
        except OSError as error:
            log.warning("%s cannot be read: %s", path, error)
            return
        log.info("following %s", path)
        self._files[path] = _Followed(file, prefix, self._journal.taken.get(path, 0))

    def _append(self, row: Row) -> None:
        # The journal first: a line without its row is cut off, a row without its line would come twice.
        self._journal.add(row.place)
        self._writer.append(StreamCode.HISTORY, self._next, row.time, row.values)
        self._next += 1


def rows_taken(folder: RunFolder) -> int:
    """Return how many rows the readers before this one made, whether they lie in a spool or are delivered."""
    ours = [writer for writer in folder.writers() if folder.writer_info(writer).source == SOURCE]
    # The spools before the ledger: segments are deleted only once the ledger that makes them superfluous is saved.
    spooled = {writer: _last_row(folder.writer_folder(writer)) for writer in ours}
    ledger = Ledger.load(folder.ledger)
    return sum(max(rows, ledger.floor(writer).get(TopicCode.LOG, 0)) for writer, rows in spooled.items())


def _last_row(writer: Path) -> int:
    """Return the number behind the last row that lies in a spool; 0 where none does."""
    reader = SpoolReader(writer)
    last = 0
    while records := reader.read(ended=True):
        last = max([last, *(record.seq + 1 for record in records if record.topic == TopicCode.LOG)])
    reader.close()
    return last


def _event_files(request: Request, started: int) -> list[str]:
    """Return the event files of a request, the older first."""
    folder = Path(request.folder)
    paths = folder.rglob("*tfevents*") if request.searched else folder.glob("*tfevents*")
    found = [path for path in paths if is_of(path.name, request, started)]
    return [str(path) for path in sorted(found, key=lambda path: (path.name, path))]
