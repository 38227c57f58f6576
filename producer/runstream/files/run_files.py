"""The files that a training process adds to its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.files.file_record import AppendFile, FileRecord
from runstream.files.pool import StagingPool
from runstream.files.saved_files import SavedFiles
from runstream.files.staging import StagedFile, Staging

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.files.table_versions import TableVersions


class RunFiles:
    """Stages files in the run folder and records them. ``append`` appends a record of topic file to the spool.

    Records wait until ``begin()`` if there is no spool yet.
    """

    def __init__(self, run_folder: Path, append: AppendFile | None = None) -> None:
        self.staging = Staging(run_folder)
        self.pool = StagingPool(run_folder)
        self._waiting: list[FileRecord | Mapping[str, Any]] = []
        self._append = append or self._waiting.append
        #: Makes artifacts of the tables of rows; None without a spool.
        self.tables: TableVersions | None = None
        #: What the program saved by name.
        self.saved = SavedFiles(run_folder, self.staging, self.append)

    def begin(self, append: AppendFile, tables: TableVersions) -> None:
        """Append the records that wait, and from now on each at once."""
        self._append, self.tables = append, tables
        while self._waiting:
            append(self._waiting.pop(0))

    def add(self, path: str, staged: StagedFile, *, media_type: str = "") -> None:
        """Record that a staged file is a file of the run under a name; raises UsageError after the end of the run."""
        self.append(FileRecord(path=path, policy="now", staged=staged.name, size=staged.size, media_type=media_type))

    def add_lost(self, path: str, reason: str) -> None:
        """Record that a file could not be kept, so that the loss is visible where the run is read."""
        self.append(FileRecord(path=path, policy="now", lost=reason))

    def append(self, record: FileRecord | Mapping[str, Any]) -> None:
        """Append a record of topic file; raises UsageError after the end of the run."""
        self._append(record)

    def discard(self, record: FileRecord) -> None:
        """Delete what was staged for a record that is not appended."""
        if record.staged:
            self.staging.delete(StagedFile(record.staged, record.size))
