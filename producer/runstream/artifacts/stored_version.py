"""A version as the server has it, and the requests about it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runstream.exceptions import CommError
from runstream.server.settling import until
from runstream_schemas.stored.artifact_names import LATEST
from runstream_schemas.stored.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.server.api_connection import ApiConnection
    from runstream_schemas.stored.artifact_names import Reference

#: Seconds that a consumer may need to store what the server has just decided.
_SETTLING_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPath:
    """The names of a version: its collection, and an alias, ``vN`` or a digest."""

    entity: str
    project: str
    name: str
    version: str

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> VersionPath:
        """Return the names of a version that a document of the server has."""
        names = {name: document[name] for name in ("entity", "project", "name")}
        return cls(**names, version=f"v{document['version']}")

    @classmethod
    def of_reference(cls, given: Reference) -> VersionPath:
        """Return the names of a version that was named with entity and project; the latest one without a version."""
        return cls(entity=given.entity, project=given.project, name=given.name, version=given.version or LATEST)

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}:{self.version}"

    @property
    def address(self) -> str:
        """The path of the version in the API."""
        return _address("/artifacts", self.entity, self.project, f"{self.name}:{self.version}")

    @property
    def collection_address(self) -> str:
        """The path of its collection in the API."""
        return _address("/artifacts", self.entity, self.project, self.name)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version that the server knows: its document, and where to read the rest."""

    connection: ApiConnection
    path: VersionPath
    document: Mapping[str, Any]

    @classmethod
    def read(cls, connection: ApiConnection, path: VersionPath, *, patience_s: float = 0.0) -> StoredVersion:
        """Return a version; ``patience_s`` is how long one that is not there yet is asked for again.

        Raises ArtifactNotFoundError, or CommError if the server does not answer.
        """
        from runstream.server.api_connection import NotFoundError  # noqa: PLC0415 - imports httpx

        deadline = time.monotonic() + patience_s
        while True:
            try:
                document = connection.get(path.address)
            except NotFoundError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_POLL_S)
                continue
            return cls(connection, replace(path, version=f"v{document['version']}"), document)

    @classmethod
    def committed(cls, connection: ApiConnection, result: Mapping[str, Any]) -> StoredVersion:
        """Return the version that the shipper has committed, once the consumer has stored it."""
        return cls.read(connection, VersionPath.of_document(result), patience_s=_SETTLING_S)

    def again(self) -> StoredVersion:
        """Return the version as it is now."""
        return StoredVersion.read(self.connection, self.path)

    def manifest(self) -> Manifest:
        """Return the manifest; raises CommError if the server has none."""
        found = self.connection.get(f"{self.path.address}/manifest")
        return Manifest.decode(json.dumps(found).encode())

    def file_address(self, path: str) -> str:
        """Return the path of a file in the API."""
        return f"{self.path.address}/files/{quote(path, safe='/')}"

    def file_urls(self, paths: list[str]) -> dict[str, str]:
        """Return where the object store has files, by path: of those that it does not return, the API has them."""
        try:
            found = self.connection.client.request("POST", f"{self.path.address}/urls", json={"paths": paths})
        except CommError:  # what is wrong is reported for the file
            return {}
        return dict(found["urls"])

    def runs(self, how: str) -> list[tuple[str, str, str]]:
        """Return entity, project and id of the runs that ``used`` or ``logged`` the version."""
        pages = self.connection.pages(f"{self.path.address}/{how}-by", limit=1000)
        return [(run["entity"], run["project"], run["run_id"]) for page in pages for run in page["runs"]]

    def update(self, changes: Mapping[str, Any]) -> StoredVersion:
        """Publish changes; return the version once they are stored."""
        self.connection.command(self.path.address, dict(changes), "PATCH")
        found = self

        def is_changed() -> bool:
            nonlocal found
            found = self.again()
            return all(_is_applied(change, found.document[name]) for name, change in changes.items())

        until(is_changed, f"change {self.path}")
        return found

    def delete(self, *, aliases: bool) -> None:
        """Delete the version, also if it has aliases or links, and wait until it is gone; raises UsageError."""
        self.connection.command(self.path.address, None, "DELETE", delete_aliases=aliases)
        until(self._is_gone, f"delete {self.path}")

    def _is_gone(self) -> bool:
        from runstream.server.api_connection import NotFoundError  # noqa: PLC0415 - imports httpx

        try:
            self.again()
        except NotFoundError:
            return True
        return False

    def link(self, target: Reference, aliases: list[str]) -> StoredVersion:
        """Publish a link to the version; return the link once it is stored."""
        path = f"{target.entity}/{target.project}/{target.name}"
        body = {"target": path, "version": self.document["version"], "aliases": aliases}
        found = self.connection.command(f"{self.path.collection_address}/links", body)
        link = VersionPath.of_reference(replace(target, version=f"v{found['target_version']}"))
        return StoredVersion.read(self.connection, link, patience_s=_SETTLING_S)

    def unlink(self) -> None:
        """Publish that this link is removed."""
        source = self.document["source"]
        target = f"{self.path.entity}/{self.path.project}/{self.path.name}"
        address = VersionPath.of_document(source).collection_address
        self.connection.command(f"{address}/links", None, "DELETE", target=target, version=source["version"])
        until(self._is_gone, f"unlink {self.path}")


def _is_applied(change: Any, found: Any) -> bool:
    """Return whether a field has a value, or labels have been added and removed."""
    if isinstance(found, list):
        return set(change["add"]) <= set(found) and not set(change["remove"]) & set(found)
    return same_json(change, found)


def same_json(one: Any, other: Any) -> bool:
    """Return whether two values have the same JSON: NaN is equal to itself, and keys have no order."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _address(prefix: str, *parts: str) -> str:
    return "/".join((prefix, *(quote(part, safe="") for part in parts)))
