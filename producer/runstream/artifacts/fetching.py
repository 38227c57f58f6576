"""Downloading files of a version into a folder, through the cache."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING

from runstream.artifacts.references import reference_store
from runstream.download.downloader import Download, Downloader, naming
from runstream.download.file_cache import FileCache, sha256_of
from runstream.download.transfer_progress import TransferProgress
from runstream.exceptions import CommError
from runstream.files.staging import clone_or_copy
from runstream_schemas.stored.names import problem_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from runstream.artifacts.entry import ArtifactManifestEntry
    from runstream.artifacts.stored_version import StoredVersion

_PARALLEL = 8
#: Files whose URLs are requested at once.
_BATCH = 1000


class Fetching:
    """Downloads entries of a version to their paths below a folder."""

    def __init__(self, version: StoredVersion, folder: Path, *, skip_cache: bool) -> None:
        self._version = version
        self._folder = folder
        self._cache = None if skip_cache else _usable_cache()
        #: Finding the credentials of a store may take long.
        self._store_of = cache(partial(reference_store, connection=version.connection))

    def fetch(self, entries: Iterable[ArtifactManifestEntry], *, allow_missing_references: bool = False) -> None:
        """Download files that are not there yet with their content, and what references lead to.

        Raises as :meth:`Artifact.download`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_PARALLEL, "runstream-artifact") as pool:
            wanted = [entry for entry in pool.map(self._missing, entries) if entry is not None]
            files = [entry for entry in wanted if entry.ref is None]
            added = self._download(files)
            list(pool.map(self._place, files))
            follow = partial(self._follow, allow_missing=allow_missing_references)
            list(pool.map(follow, (entry for entry in wanted if entry.ref is not None)))
        if self._cache is not None and added:
            self._cache.shrink_if_due(cache_limit(), added)

    def _missing(self, entry: ArtifactManifestEntry) -> ArtifactManifestEntry | None:
        """Return an entry whose file is not there; raises ValueError if its path leads out of the folder."""
        target = self._target(entry)
        if entry.ref is not None or not target.is_file() or target.is_symlink():
            return entry
        return None if target.stat().st_size == entry.size and sha256_of(target) == entry.digest else entry

    def _target(self, entry: ArtifactManifestEntry) -> Path:
        target = self._folder / entry.path
        if problem := problem_of_name(entry.path):
            raise ValueError(f"Cannot download {entry.path!r}: {problem}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(self._folder.resolve()):
            raise ValueError(f"Cannot download {entry.path!r}: {str(target.parent)!r} is a link to another folder")
        if target.is_dir() and not target.is_symlink():
            raise ValueError(f"Cannot download {entry.path!r}: {str(target)!r} is a directory")
        return target

    def _download(self, entries: Iterable[ArtifactManifestEntry]) -> int:
        """Download files: into the cache, each content once, or else to their targets; return their bytes."""
        wanted: dict[Path, ArtifactManifestEntry] = {}
        for entry in entries:
            if self._cached(entry) is None:
                wanted[self._stored_at(entry)] = entry
        size = sum(entry.size for entry in wanted.values())
        with TransferProgress(self._version.path.name, size) as progress:
            self._from_server(wanted.items(), progress.add)
        return size

    def _from_server(
        self, wanted: Iterable[tuple[Path, ArtifactManifestEntry]], progress: Callable[[int], None] | None = None
    ) -> None:
        downloader = Downloader(self._version.connection.client, parallel=_PARALLEL, progress=progress)
        following = iter(wanted)
        while some := list(islice(following, _BATCH)):
            urls = self._version.file_urls([entry.path for _, entry in some])
            downloader.download(
                Download(
                    source=self._version.file_address(entry.path),
                    direct=urls.get(entry.path, ""),
                    target=target,
                    size=entry.size,
                    sha256=entry.digest,
                    name=f"{entry.path!r} of {self._version.path}",
                )
                for target, entry in some
            )

    def _cached(self, entry: ArtifactManifestEntry) -> Path | None:
        return None if self._cache is None or entry.skip_cache else self._cache.find(entry.digest, entry.size)

    def _stored_at(self, entry: ArtifactManifestEntry) -> Path:
        if self._cache is None or entry.skip_cache:
            return self._folder / entry.path
        return self._cache.path_of(entry.digest)

    def _place(self, entry: ArtifactManifestEntry) -> None:
        """Copy a file from the cache to its target: a change of the copy does not change the cache."""
        source, target = self._stored_at(entry), self._folder / entry.path
        if source == target:
            return
        try:
            with _replacing(target) as draft, naming(target):
                clone_or_copy(source, draft)
        except FileNotFoundError:  # another process has shrunk the cache
            self._from_server([(target, entry)])

    def _follow(self, entry: ArtifactManifestEntry, *, allow_missing: bool) -> None:
        target = self._folder / entry.path
        scheme = entry.ref_target().partition(":")[0]
        try:
            with _replacing(target) as draft:
                self._store_of(scheme).fetch(entry, draft)
        except (FileNotFoundError, ValueError, CommError):
            if not allow_missing:
                raise


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Yield the path of a new file next to a target, which gets its name at the end of the block."""
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield draft
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def cache_limit() -> int:
    """Return the size of the cache in bytes, by the settings."""
    from runstream.settings import checked_settings  # noqa: PLC0415 - imports pydantic

    return int(checked_settings({}).cache_limit_gb * 1e9)


def _usable_cache() -> FileCache | None:
    """Return the cache, or None if its folder cannot be written."""
    cache = FileCache()
    try:
        cache.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return cache if os.access(cache.folder, os.W_OK) else None
