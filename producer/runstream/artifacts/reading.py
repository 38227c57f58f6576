"""Reading the contents of a stored version."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.artifacts.content import description_paths, read_description, to_object
from runstream.artifacts.draft import files_below
from runstream.download.file_cache import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runstream.artifacts.entry import ArtifactManifest, ArtifactManifestEntry
    from runstream.artifacts.fetching import Fetching
    from runstream.artifacts.stored_version import StoredVersion


class Reading(ABC):
    """The methods of an artifact that read its contents. Before it is stored, they raise ArtifactNotLoggedError."""

    @property
    @abstractmethod
    def manifest(self) -> ArtifactManifest:
        """The entries."""

    @abstractmethod
    def _stored(self, what: str) -> StoredVersion:
        """Return the stored version."""

    def get_entry(self, name: str | os.PathLike[str]) -> ArtifactManifestEntry:
        """Return the entry with a path, or that of the object with this name; raises KeyError if there is none."""
        self._stored("get_entry()")
        path = os.fspath(name)
        entry = self.manifest.entries.get(path) or next((entry for entry, _ in self._descriptions(path)), None)
        if entry is None:
            raise KeyError(f"Path not contained in the artifact: {path!r}")
        return entry

    def get_path(self, name: str | os.PathLike[str]) -> ArtifactManifestEntry:
        """Return the entry with a path. Deprecated: use :meth:`get_entry`."""
        return self.get_entry(name)

    def get(self, name: str) -> Any:
        """Return the table or the media that was added under a name, or None."""
        self._stored("get()")
        for entry, kind in self._descriptions(name):
            return to_object(kind, read_description(kind, Path(entry.download())), self)
        return None

    __getitem__ = get

    def _descriptions(self, name: str) -> Iterator[tuple[ArtifactManifestEntry, str]]:
        for path, kind in description_paths(name):
            if (entry := self.manifest.entries.get(path)) is not None:
                yield entry, kind

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,  # noqa: FBT001, FBT002
        skip_cache: bool | None = None,  # noqa: FBT001
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,  # noqa: FBT001
    ) -> str:
        """Download the files in parallel; return the folder. Other files in it are kept.

        Args:
            root: The folder, by default ``artifacts/NAME:VERSION``, or below ``RUNSTREAM_ARTIFACT_DIR``.
            allow_missing_references: Whether to leave out references that lead nowhere, or to something else.
            skip_cache: Whether to do without the cache.
            path_prefix: Only the files whose paths begin with this.
            multipart: Ignored; accepted for W&B compatibility.

        Raises:
            CommError: The server does not answer, or sends something else; another attempt continues this one.
            ValueError: A path leads out of the folder, or a reference to other content.
            FileNotFoundError: A reference leads nowhere.
        """
        del multipart
        version = self._stored("download()")
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        folder = self._default_root() if root is None else os.fspath(root)
        chosen = [entry for path, entry in self.manifest.entries.items() if path.startswith(prefix)]
        _fetching(version, folder, skip_cache=bool(skip_cache)).fetch(
            chosen, allow_missing_references=allow_missing_references
        )
        return folder

    def download_entry(self, entry: ArtifactManifestEntry, root: str | None, *, skip_cache: bool) -> str:
        """Download one file below a folder, by default that of the artifact; return its path."""
        folder = self._default_root() if root is None else root
        _fetching(self._stored("download()"), folder, skip_cache=skip_cache).fetch([entry])
        return os.fspath(Path(folder, entry.path))

    def checkout(self, root: str | os.PathLike[str] | None = None) -> str:
        """Make a folder equal to the artifact: download the files, and delete all others in it; return the folder."""
        version = self._stored("checkout()")
        folder = os.fspath(root) if root is not None else os.path.join(_artifact_folder(), version.path.name)  # noqa: PTH118
        if os.path.isdir(folder):  # noqa: PTH112
            for local, relative in list(files_below(folder)):
                if relative not in self.manifest.entries:
                    os.unlink(local)  # noqa: PTH108
        return self.download(folder)

    def verify(self, root: str | os.PathLike[str] | None = None) -> None:
        """Raise ValueError unless a folder has the files of the artifact, and no others; references are not checked."""
        self._stored("verify()")
        folder = self._default_root() if root is None else os.fspath(root)
        entries = self.manifest.entries
        for local, relative in files_below(folder) if os.path.isdir(folder) else ():  # noqa: PTH112
            if relative not in entries:
                raise ValueError(f"Found file {local!r}, which is not a member of the artifact")
        for path, entry in entries.items():
            if entry.ref is not None:
                continue
            file = Path(folder, path)
            if not file.is_file():
                raise ValueError(f"File {str(file)!r} is missing: it is a member of the artifact")
            if file.stat().st_size != entry.size or sha256_of(file) != entry.digest:
                raise ValueError(f"Digest mismatch for file: {path!r} in {folder!r}")

    def file(self, root: str | os.PathLike[str] | None = None) -> str:
        """Download the only file of the artifact; return its path. Raises ValueError if there are several, or none."""
        self._stored("file()")
        if len(self.manifest.entries) != 1:
            raise ValueError(
                f"The artifact has {len(self.manifest.entries)} files: call download() for all of them, or "
                "get_entry(name).download() for one"
            )
        (entry,) = self.manifest.entries.values()
        return entry.download(None if root is None else os.fspath(root))

    def files(
        self,
        names: list[str] | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> list[ArtifactManifestEntry]:
        """Return the files, or those with these names, each with ``name``, ``size``, ``digest`` and ``download()``."""
        del per_page, start
        self._stored("files()")
        entries = self.manifest.entries
        return list(entries.values()) if names is None else [entries[name] for name in names if name in entries]

    def _default_root(self) -> str:
        path = self._stored("download()").path
        return os.path.join(_artifact_folder(), f"{path.name}:{path.version}")  # noqa: PTH118


def _fetching(version: StoredVersion, folder: str, *, skip_cache: bool) -> Fetching:
    from runstream.artifacts.fetching import Fetching  # noqa: PLC0415 - imports the HTTP client, which init() needs not

    return Fetching(version, Path(folder), skip_cache=skip_cache)


def _artifact_folder() -> str:
    found = os.environ.get("RUNSTREAM_ARTIFACT_DIR") or os.environ.get("WANDB_ARTIFACT_DIR")
    return os.path.expanduser(found) if found else os.path.join(".", "artifacts")  # noqa: PTH111, PTH118
