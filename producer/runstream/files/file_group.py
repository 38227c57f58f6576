"""Files that are saved together: the small ones share a pack, a record and an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runstream.files.staging import STAGED_NAME

if TYPE_CHECKING:
    import os

    from runstream.files.file_record import AppendFile
    from runstream.files.pack import Pack
    from runstream.files.staging import Staging

#: Files in a record, and characters of their names: its event must be far smaller than a message may be.
_MOST_FILES = 256
_MOST_CHARACTERS = 64 * 1024


class FileGroup:
    """Small files of policy now. ``append`` appends a record of topic file to the spool.

    A record owns its pack, which the shipper deletes once the event is acknowledged.
    """

    def __init__(self, staging: Staging, append: AppendFile) -> None:
        self._staging = staging
        self._append = append
        self._pack: Pack | None = None
        self._files: list[tuple[str, int, int, bytes]] = []
        self._characters = 0

    def add(self, name: str, source: str | os.PathLike[str]) -> bool:
        """Add a file under a name in the run; return False if it is not small. Raises OSError as :meth:`Pack.add`."""
        if self._pack is None:
            self._pack = self._staging.new_pack()
        content = self._pack.add(source)
        if content is None:
            return False
        self._files.append((name, content.offset, content.size, content.sha256))
        self._characters += len(name)
        if len(self._files) >= _MOST_FILES or self._characters >= _MOST_CHARACTERS:
            self.record()
        return True

    def record(self) -> None:
        """Append the record of the files that were added since the last one; raises UsageError after the end."""
        pack, files = self._pack, self._files
        self._pack, self._files, self._characters = None, [], 0
        if pack is None:
            return
        try:
            if files:
                staged = f"{STAGED_NAME}/{pack.path.name}"
                self._append({"path": "", "policy": "now", "staged": staged, "files": files})
        except BaseException:
            pack.path.unlink(missing_ok=True)
            raise
        if not files:
            pack.path.unlink(missing_ok=True)
