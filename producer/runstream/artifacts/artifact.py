"""The artifact, as scripts see it: a draft until it is logged, then a version."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from enum import Enum
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from runstream.artifacts.adding import Adding
from runstream.artifacts.draft import Draft
from runstream.artifacts.entry import ArtifactManifest
from runstream.artifacts.exceptions import ArtifactError, ArtifactFinalizedError, ArtifactNotLoggedError
from runstream.artifacts.names import checked_aliases, checked_tags, link_target
from runstream.artifacts.reading import Reading
from runstream.artifacts.stored_facts import StoredFacts
from runstream.artifacts.stored_version import StoredVersion, same_json
from runstream.artifacts.ttl import ArtifactTTL, from_seconds, to_seconds
from runstream.exceptions import UsageError
from runstream_schemas.stored.artifact_names import LATEST, problem_of_artifact_name, problem_of_type
from runstream_schemas.stored.manifest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from runstream.artifacts.recording import PendingVersion
    from runstream.server.api_connection import ApiConnection

_METADATA_KEYS = 100


class Artifact(Adding, Reading, StoredFacts):
    """A versioned set of files: ``run.log_artifact(artifact)`` records it, ``run.use_artifact(name)`` finds it.

    Args:
        name: Letters, digits, ``-``, ``_`` and ``.``, at most 128.
        type: What it is, such as ``dataset`` or ``model``; all versions of a name have the same type.
        description: Text for the page of the version.
        metadata: Values that JSON can represent, by name.
        incremental: Whether its entries are added to those of the latest version.
        use_as: Accepted for W&B compatibility.
        storage_region: Ignored; accepted for W&B compatibility.
        digest_algorithm: Ignored; files are identified by their SHA-256.

    Raises:
        ValueError: The name or the type is invalid.
        TypeError: The name or the type is not a string, or the metadata not a dict.
    """

    def __init__(  # noqa: PLR0917 - the signature of W&B
        self,
        name: str,
        type: str,  # noqa: A002
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,  # noqa: FBT001, FBT002
        use_as: str | None = None,
        storage_region: str | None = None,
        digest_algorithm: str = "MD5",
    ) -> None:
        del storage_region, digest_algorithm
        for what, given in (("name", name), ("type", type)):
            if not isinstance(given, str):
                raise TypeError(f"Invalid {what} {given!r:.200} of an artifact: expected a string")
        if problem := problem_of_artifact_name(name):
            raise ValueError(f"Invalid name {name!r:.200} of an artifact: {problem}")
        if problem := problem_of_type(type):
            raise ValueError(f"Invalid type {type!r:.200} of artifact {name!r}: {problem}")
        self._name = name
        self._type = type
        self.description = description
        self._metadata = _checked_metadata(metadata)
        self._incremental = incremental
        self._use_as = use_as
        self.distributed_id: str | None = None
        self._ttl: timedelta | ArtifactTTL | None = ArtifactTTL.INHERIT
        self._aliases: list[str] = []
        self._tags: list[str] = []
        self._final = False
        self._draft = Draft()
        self._draft_of: tuple[str, str] | None = None
        self._pending: PendingVersion | None = None
        self._connect: Callable[[], ApiConnection] | None = None
        self._version: StoredVersion | None = None
        self._manifest: ArtifactManifest | None = None

    @classmethod
    def of_version(cls, version: StoredVersion) -> Self:
        """Return the artifact for a version of the server."""
        artifact = cls("version", "")
        artifact.adopt(version)
        return artifact

    def adopt(self, version: StoredVersion) -> None:
        """Be this version from now on."""
        document = version.document
        self._version, self._manifest, self._final = version, None, True
        self._name, self._type = version.path.name, str(document["type"])
        self.description = document.get("description") or None
        self._metadata = dict(document.get("metadata") or {})
        self._aliases, self._tags = list(document.get("aliases") or []), list(document.get("tags") or [])
        self._ttl = from_seconds(seconds) if (seconds := int(document.get("ttl_s") or 0)) else ArtifactTTL.INHERIT

    def _stored(self, what: str) -> StoredVersion:
        if self._version is None:
            raise ArtifactNotLoggedError(what)
        return self._version

    @property
    def _is_stored(self) -> bool:
        return self._version is not None

    def __repr__(self) -> str:
        return f"<Artifact {self.qualified_name if self._is_stored else self._name}>"

    @property
    def name(self) -> str:
        """Name of the collection; of a stored version with ``:vN``."""
        return self._name if self._version is None else f"{self._name}:{self._version.path.version}"

    @property
    def source_name(self) -> str:
        """Name and version that a link leads to; without a link, :attr:`name`."""
        return self.source_qualified_name.rpartition("/")[2] if self._is_stored else self._name

    @property
    def type(self) -> str:
        """What the artifact is, such as ``dataset`` or ``model``."""
        return self._type

    @property
    def state(self) -> str:
        """``PENDING`` until the version is stored, then ``COMMITTED``, or ``DELETED``."""
        return "PENDING" if self._version is None else str(self._version.document.get("state") or "COMMITTED").upper()

    def is_draft(self) -> bool:
        """Return whether the version is not stored (yet)."""
        return self._version is None

    @property
    def metadata(self) -> dict[str, Any]:
        """Values by name. Of a stored version, ``save()`` publishes changes."""
        return self._metadata

    @metadata.setter
    def metadata(self, metadata: dict[str, Any]) -> None:
        self._metadata = _checked_metadata(metadata)

    @property
    def ttl(self) -> timedelta | None:
        """How long the version is kept; None for no end. Set a timedelta, None or ``ArtifactTTL.INHERIT``."""
        if isinstance(self._ttl, ArtifactTTL):
            self._stored("ttl")
            return None
        return self._ttl

    @ttl.setter
    def ttl(self, ttl: timedelta | ArtifactTTL | None) -> None:
        to_seconds(ttl)
        self._ttl = ttl

    @property
    def aliases(self) -> list[str]:
        """Aliases of a stored version; ``save()`` publishes changes."""
        self._stored("aliases")
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: list[str]) -> None:
        self._stored("aliases")
        self._aliases = list(aliases)

    @property
    def tags(self) -> list[str]:
        """Tags of a stored version; ``save()`` publishes changes."""
        self._stored("tags")
        return self._tags

    @tags.setter
    def tags(self, tags: list[str]) -> None:
        self._stored("tags")
        self._tags = list(tags)

    @property
    def incremental(self) -> bool:
        """Whether the entries are added to those of the latest version."""
        return self._incremental

    @property
    def use_as(self) -> str | None:
        """What the artifact is used as."""
        return self._use_as

    @property
    def manifest(self) -> ArtifactManifest:
        """The entries: ``artifact.manifest.entries[path]``."""
        if self._version is None:
            return self._draft.manifest
        if self._manifest is None:
            self._manifest = ArtifactManifest.of_version(self._version.manifest(), self)
        return self._manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest in hexadecimal: equal for equal contents. Hashes the files of a draft."""
        if self._version is not None:
            return str(self._version.document["digest"])
        return digest_of(self.manifest.as_manifest().encode()).hex()

    @property
    def size(self) -> int:
        """Bytes of all files and references."""
        return self.manifest.size if self._version is None else int(self._version.document["size"])

    def finalize(self) -> None:
        """Refuse further changes of the contents."""
        self._final = True

    @property
    def _changing_or_not(self) -> Draft:
        return self._draft

    def _changing(self, method: str) -> Draft:
        if self._final:
            raise ArtifactFinalizedError(method, self.name)
        return self._draft

    @property
    def pending(self) -> PendingVersion | None:
        """What the artifact was logged as last, if it was."""
        return self._pending

    @property
    def recorded_ttl(self) -> timedelta | ArtifactTTL | None:
        """The lifetime as it was set."""
        return self._ttl

    def logged_as(self, pending: PendingVersion, connect: Callable[[], ApiConnection]) -> None:
        """Become a version that is being stored; called by the run."""
        self._final = True
        self._pending, self._connect = pending, connect

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the version is stored; return this artifact, which then has its version, aliases and so on.

        After a second, a terminal shows what is left of the uploads.

        Raises:
            ArtifactNotLoggedError: The artifact is not logged, or the run is offline.
            ArtifactError: The version could not be stored.
            WaitTimeoutError: It is not stored within so many seconds; delivery goes on.
        """
        if self._version is not None:
            return self
        if self._pending is None or self._connect is None:
            raise ArtifactNotLoggedError("wait()")
        result = self._pending.wait(timeout)
        version = result.get("version")
        if version is not None and version >= 0:  # a contribution has no version yet
            self.adopt(StoredVersion.committed(self._connect(), result))
        return self

    def save(self, project: str | None = None, settings: Any = None) -> None:
        """Log a draft to the active run, or to a new one; of a stored version, publish its changes.

        Changes are those of description, metadata, aliases, tags and lifetime.
        """
        if self._version is not None:
            self._publish_changes(self._version)
            return
        package: Any = import_module("runstream")  # it imports this module
        if package.run is not None:
            package.run.log_artifact(self)
            return
        with package.init(project=project, job_type="auto", settings=settings) as run:
            run.log_artifact(self)

    def _publish_changes(self, version: StoredVersion) -> None:
        known = version.document
        changes: dict[str, Any] = {}
        if (self.description or "") != (known.get("description") or ""):
            changes["description"] = self.description or ""
        if not same_json(metadata := _checked_metadata(self._metadata), known.get("metadata") or {}):
            changes["metadata"] = metadata
        if (seconds := to_seconds(self._ttl)) != int(known.get("ttl_s") or 0):
            changes["ttl_s"] = seconds
        changes |= _difference("tags", known, checked_tags(self._tags))
        changes |= _difference("aliases", known, checked_aliases(self._aliases))
        if changes:
            self.adopt(version.update(changes))

    @property
    def source_place(self) -> tuple[str, str] | None:
        """Entity and project of the version itself, or of the one that a draft was made of; None without one."""
        return (self.source_entity, self.source_project) if self._is_stored else self._draft_of

    def _linked(self, names: dict[str, Any]) -> Artifact:
        return Artifact.of_version(StoredVersion.committed(self._stored("links").connection, names))

    def new_draft(self) -> Artifact:
        """Return a draft with the contents of this stored version, to be changed and logged as the next version."""
        self._stored("new_draft()")
        draft = Artifact(self.source_name.partition(":")[0], self.type, self.description, dict(self._metadata))
        draft._draft, draft._draft_of = Draft(self.manifest.entries), self.source_place
        return draft

    def delete(self, delete_aliases: bool = False) -> None:  # noqa: FBT001, FBT002 - as in W&B
        """Delete the version, or only the link if it is one.

        Raises ArtifactError if it has aliases other than ``latest``, or links, and ``delete_aliases`` is not set.
        """
        version = self._stored("delete()")
        if self.is_link:
            self.unlink()
            return
        try:
            version.delete(aliases=delete_aliases)
        except UsageError as error:
            raise ArtifactError(f"Cannot delete the version: {error}") from error
        self._version = replace(version, document={**version.document, "state": "DELETED"})

    def link(self, target_path: str, aliases: Iterable[str] | None = None) -> Artifact:
        """Link the version to a collection: ``name``, ``project/name`` or ``entity/project/name``; return the link.

        Raises ArtifactNotLoggedError before it is stored, ValueError if the target or an alias is invalid.
        """
        version = self._stored("link()")
        target = link_target(target_path, version.path.entity, version.path.project)
        return Artifact.of_version(version.link(target, checked_aliases(aliases or ())))

    def unlink(self) -> None:
        """Remove this link; raises ValueError if the artifact is no link."""
        version = self._stored("unlink()")
        if not self.is_link:
            raise ValueError(f"{self.qualified_name} is not a link: unlink() needs one, delete() deletes the version")
        version.unlink()

    def json_encode(self) -> dict[str, Any]:
        """Return the names of the stored version, as W&B writes them."""
        version = self._stored("json_encode()")
        return {
            "_type": "artifactVersion",
            "_version": "v0",
            "id": self.id,
            "version": self.source_version,
            "sequenceName": version.path.name,
            "usedAs": self._use_as,
        }


def _difference(what: str, known: Mapping[str, Any], now: list[str]) -> dict[str, Any]:
    """Return what is to be added to and removed from the aliases or tags of a document, if anything is."""
    before = [one for one in known.get(what) or [] if one != LATEST]
    change = {"add": [one for one in now if one not in before], "remove": [one for one in before if one not in now]}
    return {what: change} if any(change.values()) else {}


def _checked_metadata(metadata: Any) -> dict[str, Any]:
    """Return metadata as JSON represents it; raises TypeError or ValueError if it cannot."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise ValueError(f"Invalid metadata of type {type(metadata).__name__}: expected a dict")  # noqa: TRY004 - as W&B
    if len(metadata) > _METADATA_KEYS:
        raise ValueError(f"Invalid metadata with {len(metadata)} keys: expected at most {_METADATA_KEYS}")
    # NaN and infinities, which JSON does not have, become null.
    found = json.loads(json.dumps(metadata, default=_plain), parse_constant=lambda _: None)
    return dict(found)


def _plain(value: Any) -> Any:
    """Return a value that JSON has no form for as one that it has, such as arrays as lists; raises TypeError."""
    for method in ("tolist", "item"):
        if callable(found := getattr(value, method, None)):
            return found()
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, date | PurePath | Enum | UUID):
        return str(value)
    raise TypeError(f"Invalid value of type {type(value).__name__} in metadata: expected what JSON can represent")
