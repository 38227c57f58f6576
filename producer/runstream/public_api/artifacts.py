"""Artifacts, read from the server: types, collections, and the versions of a collection or a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.names import checked_tags
from runstream.artifacts.stored_version import StoredVersion, VersionPath
from runstream.public_api.pages import Pages
from runstream.server.api_connection import ApiConnection, ArtifactNotFoundError, NotFoundError
from runstream.server.settling import until


class Artifacts(Pages[Artifact]):
    """Versions of artifacts, in the order of the server; ``parameters`` are those of its route.

    Of versions without one of the ``tags``, none is returned.
    """

    def __init__(
        self, connection: ApiConnection, address: str, per_page: int = 50, tags: Sequence[str] = (), **parameters: Any
    ) -> None:
        super().__init__()
        self._connection = connection
        self._address = address
        self._asked = {"limit": per_page, **parameters}
        self._tags = frozenset(tags)

    def _page(self, after: str | None) -> tuple[list[Artifact], str | None]:
        page = self._connection.get(self._address, **self._asked, after=after)
        found = [self._artifact(document) for document in page["artifacts"]]
        return [one for one in found if self._tags <= set(one.tags)], page["next"]

    def _artifact(self, document: dict[str, Any]) -> Artifact:
        return Artifact.of_version(StoredVersion(self._connection, VersionPath.of_document(document), document))


class ArtifactCollection:
    """The versions of an artifact with one name, or the links of a portfolio. Its document is read when it is needed.

    ``description`` and ``tags`` can be set; ``save()`` publishes them.
    """

    def __init__(
        self, connection: ApiConnection, entity: str, project: str, name: str, document: dict[str, Any] | None = None
    ) -> None:
        self._connection = connection
        self.entity, self.project, self._name = entity, project, name
        self._known = document
        self._changed: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.entity}/{self.project}/{self._name}>"

    def load(self) -> dict[str, Any]:
        """Return the document, read from the server the first time; raises ArtifactNotFoundError."""
        if self._known is None:
            self._known = self._connection.get(self._address)
        return self._known

    @property
    def id(self) -> str:
        """What identifies the collection on its server."""
        return f"{self.entity}/{self.project}/{self._name}"

    @property
    def name(self) -> str:
        """The name of its artifacts."""
        return self._name

    @property
    def type(self) -> str:
        """The type of its artifacts."""
        return str(self.load()["type"])

    @property
    def description(self) -> str:
        """The description."""
        return str(self._changed.get("description", self.load()["description"]))

    @description.setter
    def description(self, description: str | None) -> None:
        self._changed["description"] = description or ""

    @property
    def tags(self) -> list[str]:
        """The tags: a list that can be changed."""
        tags: list[str] = self._changed.setdefault("tags", list(self.load()["tags"]))
        return tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._changed["tags"] = checked_tags(tags)

    @property
    def aliases(self) -> list[str]:
        """The aliases of its versions."""
        return list(self.load()["aliases"])

    @property
    def created_at(self) -> str:
        """When its first version was committed, in ISO 8601."""
        return str(self.load()["created_at"])

    @property
    def updated_at(self) -> str:
        """When it was changed last, in ISO 8601."""
        return str(self.load()["updated_at"])

    def is_sequence(self) -> bool:
        """Return whether it holds the versions themselves, not links to them."""
        return not self.load()["portfolio"]

    def artifacts(self, per_page: int = 50) -> Artifacts:
        """Return its versions, newest first."""
        return Artifacts(self._connection, versions_address(self.entity, self.project, self._name), per_page)

    versions = artifacts

    def save(self) -> None:
        """Publish description and tags; returns once they are stored."""
        before, wanted = self.load(), dict(self._changed)
        now = wanted.pop("tags", before["tags"])
        changes = {name: value for name, value in wanted.items() if value != before[name]}
        if set(now) != set(before["tags"]):
            added = [tag for tag in checked_tags(now) if tag not in before["tags"]]
            changes["tags"] = {"add": added, "remove": [tag for tag in before["tags"] if tag not in now]}
        if not changes:
            return
        self._connection.command(self._address, changes, "PATCH")
        until(lambda: self._has(wanted, set(now)), f"change the collection {self.id}")
        self._changed = {}

    def _has(self, fields: dict[str, Any], tags: set[str]) -> bool:
        self._known = found = self._connection.get(self._address)
        return set(found["tags"]) == tags and all(found[name] == value for name, value in fields.items())

    def delete(self) -> None:
        """Delete the collection with its versions, and the links to them; returns once it is gone."""
        self._connection.command(self._address, None, "DELETE")
        until(lambda: not is_known(self._connection, self._address), f"delete the collection {self.id}")

    @property
    def _address(self) -> str:
        return _address("artifact-collections", self.entity, self.project, self._name)


class ArtifactCollections(Pages[ArtifactCollection]):
    """The collections of a project, or those of a type, by name."""

    def __init__(
        self, connection: ApiConnection, entity: str, project: str, kind: str | None = None, per_page: int = 50
    ) -> None:
        super().__init__()
        self._connection = connection
        self._asked = {"type": kind, "limit": per_page}
        self._place = entity, project

    def _page(self, after: str | None) -> tuple[list[ArtifactCollection], str | None]:
        page = self._connection.get(_address("artifact-collections", *self._place), **self._asked, after=after)
        found = [ArtifactCollection(self._connection, *self._place, one["name"], one) for one in page["collections"]]
        return found, page["next"]


class ArtifactType:
    """A type of the artifacts of a project."""

    def __init__(self, connection: ApiConnection, entity: str, project: str, name: str) -> None:
        self._connection = connection
        self._entity, self._project, self._name = entity, project, name

    def __repr__(self) -> str:
        return f"<ArtifactType {self._name}>"

    @property
    def name(self) -> str:
        """The type."""
        return self._name

    @property
    def id(self) -> str:
        """What identifies the type on its server."""
        return f"{self._entity}/{self._project}/{self._name}"

    def collections(self, per_page: int = 50) -> ArtifactCollections:
        """Return the collections of this type."""
        return ArtifactCollections(self._connection, self._entity, self._project, self._name, per_page)

    def collection(self, name: str) -> ArtifactCollection:
        """Return the collection with a name; raises ArtifactNotFoundError if there is none of this type."""
        found = ArtifactCollection(self._connection, self._entity, self._project, name)
        if found.type != self._name:
            raise ArtifactNotFoundError(f"Collection {found.id} has type {found.type!r}, not {self._name!r}")
        return found


def artifact_types(connection: ApiConnection, entity: str, project: str) -> list[ArtifactType]:
    """Return the types of the artifacts of a project."""
    found = connection.get(_address("artifact-types", entity, project))["types"]
    return [ArtifactType(connection, entity, project, one["type"]) for one in found]


def versions_address(entity: str, project: str, name: str) -> str:
    """Return the path of the versions of a collection in the API."""
    return _address("artifact-versions", entity, project, name)


def is_known(connection: ApiConnection, address: str) -> bool:
    """Return whether the server has something at a path of its API."""
    try:
        connection.get(address)
    except NotFoundError:
        return False
    return True


def _address(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)
