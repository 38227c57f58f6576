"""The collection or the version that the path of a request names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path

from runstream_consumers.api.kafka.artifact_events import ArtifactCommand
from runstream_consumers.api.problems import BadParameter, Problem
from runstream_consumers.api.security.access import ThePrincipal
from runstream_consumers.api.services import Name, TheConnection, TheKey
from runstream_consumers.artifact_decisions.model import Collection
from runstream_consumers.artifacts import reader
from runstream_consumers.artifacts.reader import ArtifactVersion
from runstream_consumers.runtime.plugin import Connection
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.stored.artifact_names import LATEST, parse_reference, problem_of_target_name
from runstream_schemas.topics import canonical_project, is_name

#: An artifact and its versions.
ARTIFACT = "/artifacts/{entity}/{project}/{name}"
COLLECTION = "/artifact-collections/{entity}/{project}/{name}"

VERSIONS = "/artifact-versions/{entity}/{project}/{name}"

#: A name, a colon, and an alias, a version or a digest.
ReferenceName = Annotated[str, Path(min_length=1, max_length=2 * DEFAULT_LIMITS.name_length + 1)]


class ArtifactNotFound(Problem):
    """No such version or collection is stored."""

    def __init__(self, name: str, *, deleted: bool = False) -> None:
        message = f"Unknown artifact {name}: check its name, or wait until it is delivered."
        super().__init__(404, "artifact_not_found", f"Artifact {name} was deleted." if deleted else message)


async def entity_in_path(entity: Name) -> str:
    """Return the entity in the path of a request; raises BadParameter if it is invalid."""
    if not is_name(entity):
        raise BadParameter("entity", f"{entity!r} cannot be part of the path of an artifact")
    return entity


TheEntity = Annotated[str, Depends(entity_in_path)]


async def project_in_path(project: Name) -> str:
    """Return the project in the path of a request; raises BadParameter if it is invalid."""
    if not is_name(project):
        raise BadParameter("project", f"{project!r} cannot be part of the path of an artifact")
    return canonical_project(project)


TheProject = Annotated[str, Depends(project_in_path)]


async def collection(entity: TheEntity, project: TheProject, name: Name) -> Collection:
    """Return the collection in the path of a request; raises BadParameter if its name is invalid."""
    if problem := problem_of_target_name(name):
        raise BadParameter("name", f"invalid name of an artifact {name!r}: {problem}")
    return Collection(entity=entity, project=project, name=name)


TheCollection = Annotated[Collection, Depends(collection)]


@dataclass(frozen=True, slots=True)
class Reference:
    """A collection, and the text that names one of its versions."""

    collection: Collection
    version: str

    def __str__(self) -> str:
        return f"{self.collection}:{self.version or LATEST}"

    async def find(self, connection: Connection) -> ArtifactVersion:
        """Return the version; raises ArtifactNotFound."""
        found = await reader.find(connection, self.collection, self.version)
        if found is None:
            raise await self.missing(connection)
        return found

    async def missing(self, connection: Connection) -> ArtifactNotFound:
        """Return the problem that there is no such version, or no longer."""
        return ArtifactNotFound(str(self), deleted=await reader.was_logged(connection, self.collection, self.version))


async def reference(entity: TheEntity, project: TheProject, name: ReferenceName) -> Reference:
    """Return the version in the path of a request."""
    try:
        found = parse_reference(name)
    except ValueError as error:
        raise BadParameter("name", str(error)) from error
    return Reference(Collection(entity=entity, project=project, name=found.name), found.version)


TheReference = Annotated[Reference, Depends(reference)]


async def version(found: TheReference, connection: TheConnection) -> ArtifactVersion:
    """Return the version in the path of a request."""
    return await found.find(connection)


TheVersion = Annotated[ArtifactVersion, Depends(version)]


async def command(key: TheKey, principal: ThePrincipal) -> ArtifactCommand:
    """Return the command that a request makes."""
    return ArtifactCommand(key, principal.id)


TheCommand = Annotated[ArtifactCommand, Depends(command)]


def target_of(text: str) -> Collection:
    """Return the target of a link; raises BadParameter unless the text is ``entity/project/name``."""
    try:
        found = parse_reference(text)
    except ValueError as error:
        raise BadParameter("target", str(error)) from error
    if not found.entity or found.version:
        raise BadParameter("target", f"expected entity/project/name, not {text!r}")
    return Collection(entity=found.entity, project=canonical_project(found.project), name=found.name)
