"""Files that are read in place: while they change (policy live), and when their writer has ended (live and end).

Their contents are records of the shipper's own writer. The files are listed in the ledger, so that they are read at the
end whatever is killed before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runstream.files.saved_files import written_files
from runstream.files.staging import StagedFile, Staging
from runstream.shipper.ledger.ledger import Ledger
from runstream.shipper.settings import ShipperSettings

log = logging.getLogger(__name__)

#: The folder in the run folder that programs write files to.
FILES_NAME = "files"
#: A file is copied so seldom that it takes at most this share of the time.
_SHARE = 1 / 20


@dataclass(slots=True)
class WatchedFiles:
    """The files of the ledger that are read in place.

    ``record`` appends to the shipper's own spool. ``ended`` returns whether a writer has ended. ``announced`` returns
    whether the event of its record of a file is acknowledged, as well as the contents that earlier shippers recorded: a
    later content must have a later event. Without ``live``, files are only read at the end.
    """

    run_folder: Path
    ledger: Ledger
    settings: ShipperSettings
    live: bool
    record: Callable[[Mapping[str, Any]], None]
    ended: Callable[[bytes], bool]
    announced: Callable[[bytes, int], bool]
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    #: By path, when a live file is looked at again.
    _due: dict[str, float] = field(default_factory=dict)
    #: Paths whose last content is being uploaded.
    _busy: set[str] = field(default_factory=set)

    def add(self, writer: bytes, seq: int, record: Mapping[str, Any]) -> bool:
        """Watch the file that a record of a training process names; return False for other records."""
        path, source, policy = (record.get(name) for name in ("path", "source", "policy"))
        if isinstance(path, str) and path not in self.ledger.written and self._is_written(path):
            self.ledger.written.add(path)
        if policy not in {"live", "end"} or record.get("read") or record.get("lost"):
            return False
        if record.get("staged"):  # what the training process has kept of the file at its end
            self.ledger.watched.pop(str(path), None)
            return False
        if not isinstance(path, str) or not isinstance(source, str):
            return False
        self.ledger.watched[path] = {"writer": writer.hex(), "seq": seq, "policy": policy, "source": source}
        self._wake.set()
        return True

    def record_rest(self) -> None:
        """Record what programs wrote to the folder of the run's files, and no writer recorded before it ended.

        A process that was killed could not; the same content is not uploaded again.
        """
        for name, path in written_files(self.run_folder / FILES_NAME):
            if name in self.ledger.written:
                continue
            shown = name.encode(errors="backslashreplace").decode()
            content = {"source": str(path), "read": True} if shown == name else {"lost": "its name is not UTF-8"}
            try:
                self.record({"path": shown, "policy": "end", **content})
            except OSError as error:  # the disk is full
                log.warning("cannot record %s: %s", shown, error)

    def note_end(self, record: Mapping[str, Any]) -> None:
        """Note that the upload of a record has ended."""
        self._busy.discard(str(record.get("path")))

    def waiting(self) -> bool:
        """Whether a file of a writer that has ended must still be read."""
        if any(self.ended(bytes.fromhex(entry["writer"])) for entry in self.ledger.watched.values()):
            self._wake.set()
            return True
        return False

    async def run(self) -> None:
        """Read files until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.settings.live_poll_s):
                    await self._wake.wait()
            self._wake.clear()
            for path, entry in list(self.ledger.watched.items()):
                if not self.announced(bytes.fromhex(entry["writer"]), entry.get("seq", 0)):
                    continue
                try:
                    if self.ended(bytes.fromhex(entry["writer"])):
                        await self._read_last(path, entry)
                    elif self.live and entry["policy"] == "live" and path not in self._busy:
                        await self._look(path, entry)
                except OSError as error:  # the disk is full
                    log.warning("cannot record %s yet: %s", path, error)

    def _is_written(self, path: str) -> bool:
        """Whether a file of the run is in the folder of its files, where a program wrote it, and no link."""
        try:
            return stat.S_ISREG(os.lstat(f"{self.run_folder}/{FILES_NAME}/{path}").st_mode)
        except (OSError, ValueError):
            return False

    async def _read_last(self, path: str, entry: Mapping[str, Any]) -> None:
        """Record the last content of a file, unless that is what was recorded of it."""
        version = await asyncio.to_thread(_version, Path(entry["source"]))
        if entry.get("sent") is None or version not in {None, tuple(entry["sent"])}:
            self.record({"path": path, "policy": entry["policy"], "source": entry["source"], "read": True})
        if self.ledger.watched.get(path) is entry:
            del self.ledger.watched[path]

    async def _look(self, path: str, entry: dict[str, Any]) -> None:
        """Record the content of a live file if it has changed."""
        now = time.monotonic()
        if now < self._due.get(path, 0.0):
            return
        staging, source = Staging(self.run_folder), Path(entry["source"])
        sent = tuple(entry.get("sent") or ())
        try:
            found = await asyncio.to_thread(_snapshot, staging, source, sent)
        finally:
            self._due[path] = now + max(self.settings.live_poll_s, (time.monotonic() - now) / _SHARE)
        if found is not None:
            staged, version = found
            self._busy.add(path)
            self.record({"path": path, "policy": "live", "staged": staged.name, "size": staged.size, "read": True})
            entry["sent"] = list(version)


def _version(source: Path) -> tuple[int, int] | None:
    """Return size and time of modification of a regular file; None if there is none."""
    try:
        found = os.stat(source)  # noqa: PTH116 (one call)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _snapshot(staging: Staging, source: Path, sent: tuple[int, ...]) -> tuple[StagedFile, tuple[int, int]] | None:
    """Stage the content of a file, unless it is that which was sent."""
    version = _version(source)
    return None if version is None or version == sent else (staging.copy(source), version)
