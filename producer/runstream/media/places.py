"""Where the media values of a row or a summary keep their files: in the run folder, under names made of their keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from runstream.files.file_record import FileRecord
from runstream.files.media_names import media_path
from runstream.files.table_versions import new_local

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream.files.run_files import RunFiles
    from runstream.media.content import MediaFile


class RunPlace:
    """Stages the media files of one call. They become files of the run by ``keep()``, or are deleted by ``discard()``.

    ``files`` is None without a recorded run: nothing is written then. ``step`` is that of the row, or ``summary``.
    """

    in_artifact = False

    def __init__(self, files: RunFiles | None, step: int | str) -> None:
        self._files = files
        self._step = step
        self._then: list[Callable[[], object]] = []
        self._key = ""
        self._added: list[FileRecord] = []

    @property
    def owner(self) -> object:
        """The files of the run."""
        return self._files

    def under(self, key: str) -> RunPlace:
        """Set the key of the values that are recorded next; return this place."""
        self._key = key
        return self

    def add(self, file: MediaFile, name: str = "") -> str:
        """Stage a file; return its path in the run. If that is not possible, record it as lost, and raise OSError."""
        path = name or media_path(file.folder, self._key, self._step, file.extension)
        if self._files is None:
            return path
        first = len(self._added)
        try:
            staged = file.content.stage(self._files.staging)
        except OSError as error:
            self._added.append(
                FileRecord(path=path, policy="now", lost=f"it could not be kept in the run folder ({error})")
            )
            raise
        self._added.append(
            FileRecord(path=path, policy="now", staged=staged.name, size=staged.size, encode=file.encode)
        )
        if file.versioned and self._files.tables is not None:
            local = new_local()
            parts = self._added[first:] = [msgspec.structs.replace(one, local=local) for one in self._added[first:]]
            record = partial(self._files.tables.record, self._key, local, [one.path for one in parts])
            self._then.append(record)
        return path

    def keep(self) -> None:
        """Record the files; raises UsageError after the end of the run."""
        while self._added and self._files is not None:
            try:
                self._files.append(self._added[0])
            except BaseException:
                self.discard()
                raise
            del self._added[0]
        for then in self._then:
            then()
        self._then.clear()

    def when_kept(self, then: Callable[[], object]) -> None:
        """Call a function at the end of ``keep()``."""
        self._then.append(then)

    def discard(self) -> None:
        """Delete what was staged: the call is refused."""
        self._then.clear()
        while self._added and self._files is not None:
            self._files.discard(self._added.pop())
