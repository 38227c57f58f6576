"""Adding to an artifact that is not logged yet."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from runstream.artifacts.entry import ArtifactManifestEntry
from runstream.artifacts.media_place import files_of
from runstream.media.base import WBValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runstream.artifacts.draft import Draft


class Adding(ABC):
    """The methods of an artifact that change its contents."""

    @abstractmethod
    def _changing(self, method: str) -> Draft:
        """Return the contents for a method that changes them; raises ArtifactFinalizedError if it is logged."""

    def add_file(  # noqa: PLR0917 - the signature of W&B
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        is_tmp: bool | None = False,  # noqa: FBT001, FBT002
        skip_cache: bool | None = False,  # noqa: FBT001, FBT002
        policy: str | None = "mutable",
        overwrite: bool = False,  # noqa: FBT001, FBT002
    ) -> ArtifactManifestEntry:
        """Add a file with the content that it has now; return its entry.

        Args:
            local_path: The file.
            name: Its path in the artifact, by default the name of the file.
            is_tmp: Whether to name it by its content.
            skip_cache: Whether ``download()`` leaves the file out of the cache.
            policy: ``mutable`` copies the file; ``immutable`` reads it when it is uploaded: it must not change.
            overwrite: Whether to replace an entry with other content.

        Raises:
            ValueError: There is no such file, the path has other content, or an argument is invalid.
            OSError: The file cannot be read, or copied.
            ArtifactFinalizedError: The artifact is logged.
        """
        return self._changing("add_file").add_file(
            local_path, name, policy=policy, overwrite=overwrite, skip_cache=bool(skip_cache), is_tmp=bool(is_tmp)
        )

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | None = None,
        skip_cache: bool | None = False,  # noqa: FBT001, FBT002
        policy: str | None = "mutable",
        merge: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Add the files below a folder, at their paths below ``name``; ``merge`` overwrites. Raises as add_file()."""
        self._changing("add_dir").add_folder(
            local_path, name, policy=policy, overwrite=merge, skip_cache=bool(skip_cache)
        )

    def add_reference(
        self,
        uri: ArtifactManifestEntry | str,
        name: str | os.PathLike[str] | None = None,
        checksum: bool = True,  # noqa: FBT001, FBT002
        max_objects: int | None = None,
    ) -> Sequence[ArtifactManifestEntry]:
        """Add what a URI leads to, without its content; return the entries.

        Args:
            uri: ``s3://``, ``gs://``, ``http://``, ``https://`` or ``file://``, of an object or of all below a prefix;
                any other URI; or an entry of a stored artifact.
            name: Its path in the artifact; of several, the folder.
            checksum: Whether to look at the object for what identifies its content; else the URI does.
            max_objects: Number of objects that are accepted.

        Raises:
            ValueError: The URI is invalid, there is nothing, or there are too many objects.
            CommError: The store cannot be reached.
            Error: The library for the scheme is not installed.
            ArtifactFinalizedError: The artifact is logged.
        """
        from runstream.artifacts.references import resolve_reference  # noqa: PLC0415 - rarely used

        draft = self._changing("add_reference")
        path = None if name is None else os.fspath(name)
        if isinstance(uri, ArtifactManifestEntry):
            return [draft.add_reference(uri.as_reference(path))]
        found = resolve_reference(str(uri), path, checksum=checksum, max_objects=max_objects)
        return [draft.add_reference(entry) for entry in found]

    def add(
        self,
        obj: Any,
        name: str | os.PathLike[str],
        overwrite: bool = False,  # noqa: FBT001, FBT002 - as in W&B
    ) -> ArtifactManifestEntry:
        """Add a table, an image or other media; return the entry of its description, such as ``NAME.table.json``.

        Raises TypeError for another object, ValueError and OSError as :meth:`add_file`.
        """
        draft = self._changing("add")
        if not isinstance(obj, WBValue):
            raise TypeError(f"Cannot add a {type(obj).__name__}: expected a table or media; use add_file() for files")
        description, *others = files_of(obj, os.fspath(name))
        known = draft.manifest.entries.get(description.path)
        if known is not None and not overwrite:
            return known
        for file in others:
            draft.add_content(file, overwrite=overwrite)
        return draft.add_content(description, overwrite=overwrite)

    @contextmanager
    def new_file(
        self, name: str, mode: str = "x", encoding: str | None = None, policy: str = "mutable"
    ) -> Iterator[IO[Any]]:
        """Yield a new file, which is added at the end of the block, if that raises nothing.

        Raises ValueError if the name or the mode is invalid, or there is such a file and the mode is ``x``.
        """
        del policy
        with self._changing("new_file").new_file(name, mode, encoding) as file:
            yield file

    def remove(self, item: str | os.PathLike[str] | ArtifactManifestEntry) -> None:
        """Remove an entry, or all below a folder; raises FileNotFoundError if there is none."""
        self._changing("remove").remove(item)

    def __setitem__(self, name: str, item: Any) -> None:
        self.add(item, name)

    def get_added_local_path_name(self, local_path: str) -> str | None:
        """Return the path in the artifact of a file that was added by this local path, or None."""
        return self._changing_or_not.added.get(local_path)

    @property
    @abstractmethod
    def _changing_or_not(self) -> Draft:
        """The contents that were added, also of a logged artifact."""
