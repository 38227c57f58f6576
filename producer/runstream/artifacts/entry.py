"""The entries of an artifact: files and references, by their path."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runstream.download.file_cache import sha256_of
from runstream_schemas.stored.manifest import Manifest, ManifestEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runstream.files.pack import PackedContent
    from runstream.files.staging import StagedFile

#: The scheme of references to files of other artifacts.
ARTIFACT_SCHEME = "runstream-artifact"


class EntryOwner(Protocol):
    """The artifact of an entry."""

    def download_entry(self, entry: ArtifactManifestEntry, root: str | None, *, skip_cache: bool) -> str:
        """Download the file of an entry; return its local path."""


class ArtifactManifestEntry:
    """A file or a reference in an artifact.

    ``local_path`` is the file with the content, if there is one on this machine: ``staged`` by a draft, ``packed`` with
    others by it, or read in place because its policy is ``immutable``; it must then still have ``mtime_ns`` when it is
    uploaded.
    """

    def __init__(
        self,
        path: str,
        size: int,
        *,
        digest: str = "",
        ref: str | None = None,
        extra: Mapping[str, Any] | None = None,
        local_path: str | None = None,
        staged: StagedFile | None = None,
        packed: PackedContent | None = None,
        mtime_ns: int | None = None,
        skip_cache: bool = False,
        owner: EntryOwner | None = None,
    ) -> None:
        self.path = path
        self.size = size
        self.ref = ref
        self.extra: dict[str, Any] = dict(extra or {})
        self._local_path = local_path
        self.staged = staged
        self.packed = packed
        self.mtime_ns = mtime_ns
        self.skip_cache = skip_cache
        #: What keeps the local file, which must exist as long as the entry.
        self.keep: object = None
        self._digest = packed.sha256.hex() if packed is not None else digest
        self._owner = owner

    @property
    def name(self) -> str:
        """The path in the artifact. Deprecated: use :attr:`path`."""
        return self.path

    @property
    def local_path(self) -> str | None:
        """The file with the content; None if there is none on this machine. Raises OSError if it cannot be unpacked."""
        if self._local_path is None and self.packed is not None:
            self._local_path = unpack(self.packed)
        return self._local_path

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal; of a reference, what its store has to identify the content.

        The file of a draft is hashed when this is first read.
        """
        if not self._digest and self.local_path is not None:
            self._digest = sha256_of(Path(self.local_path))
        return self._digest

    @property
    def known_digest(self) -> str:
        """The digest if it is known, without hashing; else an empty string."""
        return self._digest

    def parent_artifact(self) -> Any:
        """Return the artifact that the entry was read from; None for an entry of a draft."""
        return self._owner

    def download(self, root: str | None = None, skip_cache: bool | None = None) -> str:  # noqa: FBT001 - as in W&B
        """Download the file below ``root``, by default the folder of the artifact; return its local path.

        Raises:
            FileNotFoundError: The server does not have the file, or a reference leads nowhere.
            ValueError: What was downloaded is not the content of the entry.
        """
        if self._owner is not None:
            return self._owner.download_entry(self, root, skip_cache=bool(skip_cache))
        if self.local_path is None:
            raise ValueError(f"{self.path!r} has no content on this machine: log the artifact, and wait() for it")
        return self.local_path

    def ref_target(self) -> str:
        """Return the URI of a reference; raises ValueError for a file."""
        if self.ref is None:
            raise ValueError(f"{self.path!r} is a file, not a reference")
        return self.ref

    def ref_url(self) -> str:
        """Return a URI by which other artifacts may refer to this entry; raises ValueError for one of a draft."""
        if self.ref is not None:
            return self.ref
        if (artifact := self.parent_artifact()) is None:
            raise ValueError(f"{self.path!r} is in an artifact that is not stored: log it, and wait() for it")
        return f"{ARTIFACT_SCHEME}://{artifact.qualified_name}/{self.path}"

    def as_reference(self, path: str | None) -> ArtifactManifestEntry:
        """Return an entry of another artifact that refers to this one, by default under its name; raises ValueError."""
        name = path or self.path.rpartition("/")[2]
        return ArtifactManifestEntry(name, self.size, ref=self.ref_url(), digest=self.digest, extra=self.extra)

    def as_manifest_entry(self) -> ManifestEntry:
        """Return the entry as the manifest of a version has it; hashes a file whose digest is not known."""
        if self.ref is None:
            return ManifestEntry(size=self.size, sha256=bytes.fromhex(self.digest))
        return ManifestEntry(size=self.size, reference=self.ref, digest=self.digest, extra=self.extra)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArtifactManifestEntry):
            return NotImplemented
        return (self.path, self.size, self.ref, self.digest) == (other.path, other.size, other.ref, other.digest)

    def __hash__(self) -> int:
        return hash((self.path, self.size, self.ref))

    def __repr__(self) -> str:
        what = f"ref={self.ref!r}" if self.ref else f"size={self.size}"
        return f"<ArtifactManifestEntry {self.path!r} {what}>"


def unpack(content: PackedContent) -> str:
    """Return the path of a file next to the pack with a content of it; raises OSError."""
    path = content.pack.with_name(f"{content.pack.name}-{content.offset}")
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.write_bytes(content.read())
        draft.replace(path)
    return str(path)


class ArtifactManifest:
    """The entries of an artifact."""

    def __init__(self, entries: dict[str, ArtifactManifestEntry]) -> None:
        self.entries = entries

    @classmethod
    def of_version(cls, manifest: Manifest, owner: EntryOwner) -> ArtifactManifest:
        """Return the entries of a stored version."""
        return cls(
            {
                path: ArtifactManifestEntry(
                    path,
                    entry.size,
                    digest=entry.digest if entry.reference else entry.sha256.hex(),
                    ref=entry.reference or None,
                    extra=entry.extra,
                    owner=owner,
                )
                for path, entry in manifest.entries.items()
            }
        )

    @property
    def size(self) -> int:
        """Bytes of all files and references."""
        return sum(entry.size for entry in self.entries.values())

    def as_manifest(self) -> Manifest:
        """Return the manifest of these entries; hashes the files whose digest is not known."""
        return Manifest({path: entry.as_manifest_entry() for path, entry in self.entries.items()})

    def get_entry_by_path(self, path: str) -> ArtifactManifestEntry | None:
        """Return the entry with this path, or None."""
        return self.entries.get(path)

    def get_entries_in_directory(self, directory: str) -> list[ArtifactManifestEntry]:
        """Return the entries below a folder."""
        return [entry for path, entry in self.entries.items() if path.startswith(f"{directory}/")]

    def to_manifest_json(self) -> dict[str, Any]:
        """Return the manifest as it is stored."""
        fields: dict[str, Any] = {"version": 1, "contents": {}}
        for path, entry in sorted(self.entries.items()):
            found = {"digest": entry.digest, "size": entry.size, "ref": entry.ref, "extra": entry.extra}
            fields["contents"][path] = {name: value for name, value in found.items() if value not in (None, {})}
        return fields

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)
