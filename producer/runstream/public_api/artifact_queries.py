"""The methods of ``Api`` that are about artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runstream.artifacts.artifact import Artifact
from runstream.artifacts.stored_version import StoredVersion, VersionPath
from runstream.public_api.artifacts import (
    ArtifactCollection,
    ArtifactCollections,
    Artifacts,
    ArtifactType,
    artifact_types,
    versions_address,
)
from runstream.public_api.registries import Registry, registries
from runstream.server.api_connection import ApiConnection, ArtifactNotFoundError
from runstream.server.paths import NamedProject, parse_project
from runstream_schemas.stored.artifact_names import Reference, parse_reference
from runstream_schemas.topics import canonical_project


class ArtifactQueries:
    """Reads artifacts. Names are ``[entity/][project/]name``, with the entity and the project of the Api."""

    _connection: ApiConnection
    _defaults: NamedProject

    @property
    def default_entity(self) -> str:
        """The entity of paths without one: of the overrides, or the environment, or else the server's."""
        return self._defaults.entity or str(self._connection.get("/viewer")["entity"])

    def artifact(self, name: str, type: str | None = None) -> Artifact:  # noqa: A002 - as in W&B
        """Return the version ``name:alias``, ``name:v3`` or ``name:digest``, by default the latest.

        Raises:
            ArtifactNotFoundError: The server does not know it; also a ValueError and a CommError.
            ValueError: The name is invalid, or it has another type.
        """
        path = VersionPath.of_reference(self._reference(name))
        artifact = Artifact.of_version(StoredVersion.read(self._connection, path))
        if type is not None and artifact.type != type:
            raise ValueError(f"Artifact {name!r} has type {artifact.type!r}, not {type!r}")
        return artifact

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002
        """Return whether there is such a version, and of the type if one is given."""
        try:
            return type in {None, self.artifact(name).type}
        except ArtifactNotFoundError:
            return False

    def artifacts(
        self, type_name: str, name: str, per_page: int = 50, tags: Sequence[str] | str | None = None
    ) -> Artifacts:
        """Return the versions of a name, newest first, or those that have all tags; raises ValueError for its type."""
        found = self.artifact_collection(type_name, name)
        chosen = [tags] if isinstance(tags, str) else tags or ()
        return Artifacts(self._connection, versions_address(found.entity, found.project, found.name), per_page, chosen)

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Artifacts:
        """Return the versions of a name. Deprecated: use :meth:`artifacts`."""
        return self.artifacts(type_name, name, per_page)

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """Return the collection with a name; raises ValueError unless there is one, and of the type."""
        collection = self.collection_named(name)
        if collection.type != type_name:
            raise ValueError(f"Collection {name!r} has type {collection.type!r}, not {type_name!r}")
        return collection

    def collection_named(self, name: str) -> ArtifactCollection:
        """Return the collection with a name, of any type; raises ArtifactNotFoundError."""
        found = self._reference(name)
        collection = ArtifactCollection(self._connection, found.entity, found.project, found.name)
        collection.load()
        return collection

    def artifact_collections(
        self, project_name: str, type_name: str | None = None, per_page: int = 50
    ) -> ArtifactCollections:
        """Return the collections in a project, ``[entity/]project``, by name, or those of a type."""
        return ArtifactCollections(self._connection, *self._place(project_name), type_name, per_page)

    def artifact_collection_exists(self, name: str, type: str) -> bool:  # noqa: A002
        """Return whether there is a collection with a name and a type."""
        try:
            self.artifact_collection(type, name)
        except ValueError:
            return False
        return True

    def artifact_types(self, project: str | None = None) -> list[ArtifactType]:
        """Return the types of the artifacts of a project, ``[entity/]project``."""
        return artifact_types(self._connection, *self._place(project))

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """Return a type of the artifacts of a project; raises ArtifactNotFoundError if it has none."""
        entity, name = self._place(project)
        for found in artifact_types(self._connection, entity, name):
            if found.name == type_name:
                return found
        raise ArtifactNotFoundError(f"Project {entity}/{name} has no artifacts of type {type_name!r}")

    def registries(
        self,
        organization: str | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> list[Registry]:
        """Return the registries of an entity, here called organization, that hold a link.

        ``filter`` is ``{"name": "x"}`` or ``{"name": {"$regex": "x"}}``.
        """
        return registries(self._connection, organization or self.default_entity, filter)

    def registry(self, name: str, organization: str | None = None) -> Registry:
        """Return the registry with a name; links are in ``wandb-registry-NAME/COLLECTION``."""
        return Registry(self._connection, organization or self.default_entity, name)

    def _reference(self, name: str) -> Reference:
        found = parse_reference(name)
        return Reference(
            entity=found.entity or self.default_entity,
            project=canonical_project(found.project or self._defaults.project),
            name=found.name,
            version=found.version,
        )

    def _place(self, project: str | None) -> tuple[str, str]:
        named = parse_project(project or "", self._defaults)
        return named.entity or self.default_entity, named.project
