"""The contents of an artifact that is not logged yet. What is added is kept as it was at that time."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
import weakref
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from runstream.artifacts.entry import ArtifactManifest, ArtifactManifestEntry
from runstream.download.file_cache import new_draft_folder
from runstream.files.pack import PACKED_BYTES
from runstream.files.staging import Staging
from runstream_schemas.stored.names import problem_of_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstream.artifacts.content import ArtifactFile
    from runstream.files.pack import Pack

_SLASHES = re.compile("//+")
_POLICIES = ("mutable", "immutable")


class Draft:
    """Files and references that are added to an artifact, and copies of the files in a folder of the cache.

    The folder is deleted with the draft; after a kill, ``runstream cache gc`` deletes it.
    """

    def __init__(self, entries: Mapping[str, ArtifactManifestEntry] | None = None) -> None:
        self.manifest = ArtifactManifest(dict(entries or {}))
        #: By the local path that was added, the path in the artifact.
        self.added: dict[str, str] = {}
        self._folder: _Folder | None = None
        self._pack: Pack | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which has packs of its own."""
        return {**self.__dict__, "_pack": None}

    def add_file(
        self,
        source: str | os.PathLike[str],
        name: str | None,
        *,
        policy: str | None = "mutable",
        overwrite: bool = False,
        skip_cache: bool = False,
        is_tmp: bool = False,
    ) -> ArtifactManifestEntry:
        """Add a file; ``is_tmp`` names it by its content. Raises ValueError, or OSError if it cannot be read."""
        local = os.fspath(source)
        _check_file(local)
        if policy is not None and policy not in _POLICIES:
            raise ValueError(f"Invalid policy {policy!r}: expected 'mutable' or 'immutable'")
        path = checked_path(name or os.path.basename(local))  # noqa: PTH119 - the text decides
        entry = self._read_in_place(path, local) if policy == "immutable" else self._copied(path, Path(local))
        entry.skip_cache = skip_cache
        if is_tmp:
            entry.path = _named_by_content(path, entry.digest)
        return self._add(entry, overwrite=overwrite, local=local)

    def add_folder(
        self,
        folder: str | os.PathLike[str],
        name: str | None,
        *,
        policy: str | None = "mutable",
        overwrite: bool = False,
        skip_cache: bool = False,
    ) -> None:
        """Add the files below a folder, at their paths below ``name``; raises as :meth:`add_file`."""
        if not os.path.isdir(folder):  # noqa: PTH112
            raise ValueError(f"Path is not a directory: {os.fspath(folder)!r}")
        prefix = checked_path(name.rstrip("/")) + "/" if name and name.strip("/") else ""
        for path, relative in files_below(os.fspath(folder)):
            self.add_file(path, prefix + relative, policy=policy, overwrite=overwrite, skip_cache=skip_cache)

    def add_content(self, file: ArtifactFile, *, overwrite: bool = False) -> ArtifactManifestEntry:
        """Add a file of an object; raises ValueError or OSError."""
        path = checked_path(file.path)
        if file.ref:
            return self.add_reference(ArtifactManifestEntry(path, 0, digest=file.ref, ref=file.ref))
        if isinstance(file.content, Path):
            return self._add(self._copied(path, file.content), overwrite=overwrite)
        staging = self._staging
        staged = staging.write(file.content)
        entry = ArtifactManifestEntry(path, staged.size, local_path=self._path_of(staged.name), staged=staged)
        return self._add(entry, overwrite=overwrite)

    def add_reference(self, entry: ArtifactManifestEntry) -> ArtifactManifestEntry:
        """Add a reference; raises ValueError if something else has its path."""
        entry.path = checked_path(entry.path)
        return self._add(entry, overwrite=False)

    @contextmanager
    def new_file(self, name: str, mode: str, encoding: str | None) -> Iterator[IO[Any]]:
        """Yield a new file that becomes an entry when it is closed without an error; raises ValueError."""
        path = checked_path(name)
        if "r" in mode:
            raise ValueError(f"Invalid mode {mode!r} of the new file {name!r}: expected 'w' or 'x', with 'b' for bytes")
        if "x" in mode and path in self.manifest.entries:
            raise ValueError(f"File with name {name!r} already exists in the artifact")
        draft = self._place() / "new" / secrets.token_hex(8)
        draft.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with draft.open(mode, encoding=None if "b" in mode else encoding or "utf-8") as file:
                yield file
            staged = self._staging.move(draft)
        finally:
            draft.unlink(missing_ok=True)
        entry = ArtifactManifestEntry(path, staged.size, local_path=self._path_of(staged.name), staged=staged)
        self._add(entry, overwrite="x" not in mode)

    def remove(self, item: str | os.PathLike[str] | ArtifactManifestEntry) -> None:
        """Remove an entry, or all below a folder; raises FileNotFoundError if there is none."""
        path = item.path if isinstance(item, ArtifactManifestEntry) else str(PurePosixPath(item))
        below = [entry.path for entry in self.manifest.get_entries_in_directory(path)]
        found = [path] if path in self.manifest.entries else below
        if not found:
            raise FileNotFoundError(f"No such file or directory in the artifact: {path!r}")
        for one in found:
            del self.manifest.entries[one]
        self.added = {local: name for local, name in self.added.items() if name not in found}

    def _copied(self, path: str, source: Path) -> ArtifactManifestEntry:
        try:
            packed = self._usable_pack().add(source) if source.stat().st_size <= PACKED_BYTES else None
            if packed is not None:
                return ArtifactManifestEntry(path, packed.size, packed=packed)
            staged = self._staging.copy(source)
        except OSError as error:  # a full disk is reported without a name
            raise OSError(error.errno, f"Cannot copy the file: {error.strerror}", os.fspath(source)) from error
        return ArtifactManifestEntry(path, staged.size, local_path=self._path_of(staged.name), staged=staged)

    @staticmethod
    def _read_in_place(path: str, local: str) -> ArtifactManifestEntry:
        source = Path(local).absolute()
        found = source.stat()
        with source.open("rb"):  # one that cannot be read is refused now, not at upload
            pass
        return ArtifactManifestEntry(path, found.st_size, local_path=str(source), mtime_ns=found.st_mtime_ns)

    def _add(self, entry: ArtifactManifestEntry, *, overwrite: bool, local: str | None = None) -> ArtifactManifestEntry:
        known = self.manifest.entries.get(entry.path)
        if known is not None and not overwrite and (known.size != entry.size or known != entry):
            self._discard(entry)
            raise ValueError(
                f"Cannot add the same path twice: {entry.path!r} is in the artifact with other content; "
                "use overwrite=True or another name"
            )
        if known is not None:
            self._discard(known)
        self.manifest.entries[entry.path] = entry
        entry.keep = self._folder
        if local is not None:
            self.added[local] = entry.path
        return entry

    def _discard(self, entry: ArtifactManifestEntry) -> None:
        if entry.staged is not None:
            self._staging.delete(entry.staged)

    def _usable_pack(self) -> Pack:
        if self._pack is None or not self._pack.usable:
            self._pack = self._staging.new_pack()
        return self._pack

    @property
    def _staging(self) -> Staging:
        return Staging(self._place())

    def _path_of(self, staged: str) -> str:
        return str(self._place() / staged)

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = _Folder()
        return self._folder.path


class _Folder:
    """The folder of a draft, deleted once neither the draft nor any of its entries is used."""

    def __init__(self) -> None:
        self.path = _new_folder()
        weakref.finalize(self, _remove, self.path, os.getpid())


def checked_path(name: str | os.PathLike[str]) -> str:
    """Return a path in an artifact without a ``./`` in front and empty parts; raises ValueError if it is not one."""
    text = os.fspath(name)
    path = _SLASHES.sub("/", text.removeprefix("./")).removesuffix("/") if isinstance(text, str) else ""
    if problem := problem_of_name(path):
        raise ValueError(f"Invalid path {text!r:.200} in an artifact: {problem}")
    return path


def files_below(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the files below a folder, each with its path relative to it; links are followed.

    Raises ValueError for a loop of links, and OSError for a folder that cannot be read.
    """
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while pending:
        relative, around = pending.pop()
        path = os.path.join(folder, relative)  # noqa: PTH118 - hundreds of thousands of files
        found = os.stat(path)  # noqa: PTH116
        place = (found.st_dev, found.st_ino)
        if place in around:
            raise ValueError(f"{path!r} is a link to a directory that contains it: remove the link")
        with os.scandir(path) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            below = f"{relative}/{entry.name}" if relative else entry.name
            if entry.is_dir():
                pending.append((below, (*around, place)))
            else:
                yield entry.path, below


def _check_file(path: str) -> None:
    try:
        kind = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError) as error:
        raise ValueError(f"Path is not a file: {path!r:.300} ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(kind):
        what = "a directory" if stat.S_ISDIR(kind) else "neither a file nor a directory"
        raise ValueError(f"Path is not a file: {path!r} is {what}")


def _named_by_content(path: str, digest: str) -> str:
    folder, _, name = path.rpartition("/")
    _, dot, suffix = name.partition(".")
    return f"{folder}/{digest[:20]}{dot}{suffix}" if folder else f"{digest[:20]}{dot}{suffix}"


def _new_folder() -> Path:
    """Return a new folder of this process in the cache, or in the folder for temporary files."""
    name = secrets.token_hex(8)
    try:
        return new_draft_folder(name)
    except OSError:
        return Path(tempfile.mkdtemp(prefix=f"runstream-artifact-{name}-"))


def _remove(folder: Path, pid: int) -> None:
    """Delete the folder of a draft, in the process that made it: a forked child has the draft as well."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
