"""What a run does with artifacts, recorded in its folder for the shipper."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.artifacts.exceptions import ArtifactError, ArtifactNotLoggedError, WaitTimeoutError
from runstream.files.staging import STAGED_NAME
from runstream.run_folder.json_files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.artifacts.entry import ArtifactManifest, ArtifactManifestEntry

#: Folder of the descriptions of logged artifacts in the run folder, and of what became of them.
FOLDER = "artifacts"
_POLL_S, _LONGEST_POLL_S = 0.02, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingVersion:
    """A version that was recorded and is not known to be stored."""

    run_folder: Path
    #: Names the description of the contents in the run folder.
    local: str
    name: str
    #: Whether nothing delivers it now.
    offline: bool
    #: Called while waiting: starts the delivery again if it has ended.
    keep_delivering: Callable[[], None]
    #: Called while waiting, with the seconds so far, and at the end with None.
    progress: Callable[[float | None], None] = lambda _: None

    def result(self) -> dict[str, Any] | None:
        """Return what the shipper reports, or None as long as it does not; raises ArtifactError if it failed."""
        found = read_json(self.run_folder / FOLDER / f"{self.local}.result.json")
        if found is not None and found.get("error"):
            raise ArtifactError(f"Artifact {self.name!r} is not stored: {found['error']}")
        return found

    def wait(self, timeout: float | None) -> dict[str, Any]:
        """Return what the shipper reports, once it does.

        Raises ArtifactError if it failed, WaitTimeoutError after the timeout, ArtifactNotLoggedError in an offline run.
        """
        try:
            return self._waited(timeout)
        finally:
            self.progress(None)

    def _waited(self, timeout: float | None) -> dict[str, Any]:
        started = time.monotonic()
        while (found := self.result()) is None:
            waited = time.monotonic() - started
            if self.offline:
                raise ArtifactNotLoggedError("wait()")
            if timeout is not None and waited >= timeout:
                raise WaitTimeoutError(f"Artifact {self.name!r} is not stored after {timeout:g} s; delivery continues")
            if not self.run_folder.exists():
                raise ArtifactError(f"Artifact {self.name!r} is lost: the run folder {self.run_folder} was deleted")
            self.keep_delivering()
            self.progress(waited)
            time.sleep(min(_POLL_S + waited / 50, _LONGEST_POLL_S))
        return found


class RunArtifacts:
    """Appends records of artifacts to the spool. ``append`` appends one; it raises UsageError after the end."""

    def __init__(self, run_folder: Path, append: Callable[[Mapping[str, Any]], None]) -> None:
        self._folder = run_folder
        self._append = append

    def log(self, manifest: ArtifactManifest, record: Mapping[str, Any]) -> str:
        """Record a version; return the name of the description of its contents.

        Raises OSError if the run folder has no room for the files, UsageError after the end of the run.
        """
        local = secrets.token_hex(8)
        (self._folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
        staged: dict[Path, Path] = {}
        path = self._folder / FOLDER / f"{local}.json"
        try:
            entries = {name: self._kept(name, entry, staged) for name, entry in manifest.entries.items()}
            write_json(path, {"entries": entries})
            self.record({**record, "local": local})
        except BaseException:
            for file in (*staged.values(), path):
                file.unlink(missing_ok=True)
            raise
        return local

    def record(self, record: Mapping[str, Any]) -> None:
        """Append a record of an action, without the fields that are not set."""
        self._append({name: value for name, value in record.items() if value not in (None, "", [], {})})

    def _kept(self, name: str, entry: ArtifactManifestEntry, staged: dict[Path, Path]) -> dict[str, Any]:
        try:
            return self._entry(entry, staged)
        except OSError as error:
            raise OSError(error.errno, f"Cannot keep {name!r} in the run folder: {error.strerror}") from error

    def _entry(self, entry: ArtifactManifestEntry, staged: dict[Path, Path]) -> dict[str, Any]:
        """Return the description of an entry; a staged file or pack gets a second name in the run folder, once."""
        if entry.ref is not None:
            return {"ref": entry.ref, "digest": entry.digest, "size": entry.size, "extra": entry.extra}
        known = {"sha256": entry.known_digest} if entry.known_digest else {}
        if entry.mtime_ns is not None:
            return {"source": entry.local_path, "size": entry.size, "mtime_ns": entry.mtime_ns, **known}
        if (packed := entry.packed) is not None:
            return {"staged": self._staged(packed.pack, staged), "offset": packed.offset, "size": entry.size, **known}
        if entry.local_path is None:  # of a stored version
            return {"size": entry.size, **known}
        return {"staged": self._staged(Path(entry.local_path), staged), "size": entry.size, **known}

    def _staged(self, source: Path, staged: dict[Path, Path]) -> str:
        if (target := staged.get(source)) is None:
            folder = self._folder / STAGED_NAME
            folder.mkdir(mode=0o700, exist_ok=True)
            target = staged[source] = folder / secrets.token_hex(8)
            _link_or_copy(source, target)
        return f"{STAGED_NAME}/{target.name}"


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # of another file system, or one without links
        shutil.copyfile(source, target)
