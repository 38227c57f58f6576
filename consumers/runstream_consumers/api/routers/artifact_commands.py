"""Commands about artifacts: each is decided, and published as an event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from runstream_consumers.api.artifact_decisions import command_request
from runstream_consumers.api.artifact_selection import (
    ARTIFACT,
    COLLECTION,
    TheCollection,
    TheCommand,
    TheVersion,
    reference,
)
from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.documents.artifact_models import (
    ArtifactChange,
    ArtifactDecision,
    Labels,
    RunArtifactBody,
)
from runstream_consumers.api.documents.run_documents import find as find_run
from runstream_consumers.api.kafka.artifact_events import ArtifactCommand
from runstream_consumers.api.problems import BadParameter, Problem
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import Services, TheConnection, TheRun, TheServices
from runstream_consumers.artifact_decisions.model import Collection
from runstream_consumers.artifacts.reader import ArtifactVersion
from runstream_schemas import values
from runstream_schemas.events import ArtifactAction, Kind
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.stored.artifact_names import LATEST, is_reserved_alias, problem_of_alias, problem_of_tag

router = APIRouter(prefix="/api/v1", tags=["artifacts"])

#: Of a change, bytes of JSON: an event has other fields, too.
_LARGEST = DEFAULT_LIMITS.message_bytes // 2

_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": models.ProblemAnswer, "description": "the version has aliases or links"}
}


@router.patch(ARTIFACT, summary="Change a version of an artifact", responses=described(ArtifactDecision))
async def change_version(
    found: TheVersion, services: TheServices, command: TheCommand, body: ArtifactChange
) -> ArtifactDecision:
    """Add and remove aliases and tags; set description, metadata and lifetime. A link has aliases of its own.

    Responds once the broker has the change; readers show it when the consumer has stored it.
    """
    changes = _checked(body)
    of_link = {name: changes.pop(name) for name in ("aliases",) if found.source and name in changes}
    decision = ArtifactDecision(version=found.number, decision=0)
    if of_link:
        apart = ArtifactCommand(hashlib.sha256(command.key + b"aliases").digest()[:16], command.principal)
        decision = await _change(services, apart, found.collection, found.number, of_link)
    if changes:
        decision = await _change(services, command, *found.origin, changes)
    return decision


@router.patch(COLLECTION, summary="Change a collection", responses=described(ArtifactDecision))
async def change_collection(
    found: TheCollection, services: TheServices, command: TheCommand, body: ArtifactChange
) -> ArtifactDecision:
    """Add and remove tags; set the description, and the lifetime of versions that have none of their own."""
    changes = _checked(body)
    if body.aliases is not None or body.metadata is not None:
        raise BadParameter("body", "a collection has neither aliases nor metadata: change one of its versions")
    return await _change(services, command, found, None, changes)


@router.delete(
    ARTIFACT, summary="Delete a version of an artifact", responses={**described(ArtifactDecision), **_CONFLICT}
)
async def delete_version(
    found: TheVersion,
    services: TheServices,
    command: TheCommand,
    *,
    delete_aliases: Annotated[bool, Query(description="Also if it has aliases other than latest, or links")] = False,
) -> ArtifactDecision:
    """Delete a version, or a link. The bytes are deleted later, unless another version has them.

    409 `has_aliases` if it has aliases other than `latest`, or is linked, and `delete_aliases` is not set.
    """
    aliases = [alias for alias in found.aliases if alias != LATEST]
    links = [f"{collection}:v{number}" for collection, number in found.links]
    if (aliases or links) and not delete_aliases:
        name = f"{found.collection}:v{found.number}"
        message = f"{name} has {', '.join([*aliases, *links])}: remove them, or set delete_aliases."
        raise Problem(409, "has_aliases", message)
    return await _delete(services, command, found.collection, found.number)


@router.delete(COLLECTION, summary="Delete a collection", responses=described(ArtifactDecision))
async def delete_collection(found: TheCollection, services: TheServices, command: TheCommand) -> ArtifactDecision:
    """Delete all versions of a collection, and the links to them. Later versions continue its numbers."""
    return await _delete(services, command, found, None)


@router.post(
    f"{RUN}/artifacts", summary="Record that a run logged or used a version", responses=described(ArtifactDecision)
)
async def relate(
    run: TheRun,
    services: TheServices,
    connection: TheConnection,
    command: TheCommand,
    body: RunArtifactBody,
) -> ArtifactDecision:
    """Record a version that exists as output or input of a run.

    409 `other_project` for an output whose collection is in another project than the run.
    """
    _check(ArtifactChange(aliases=Labels(add=body.aliases), tags=Labels(add=body.tags)))
    await find_run(connection, run)
    found = await (await reference(body.entity, body.project, body.name)).find(connection)
    if body.action == "use":
        fields = {**_version(found, found.collection, found.number), "use_as": body.use_as}
        await services.commands.publish(command.event(run, ArtifactAction.USE, **fields))
        return ArtifactDecision(version=found.number, decision=0)
    collection, number = found.origin
    if (collection.entity, collection.project) != (run.entity, run.project):
        message = f"A run cannot log an artifact to another project: {run} and {collection}."
        raise Problem(409, "other_project", message)
    decision = await services.artifact_decisions.change(collection, number, command_request(command.key))
    fields = {**_version(found, collection, number), "aliases": body.aliases, "tags": body.tags}
    await services.commands.publish(command.event(run, ArtifactAction.LOG, decision=decision.number, **fields))
    return ArtifactDecision(version=number, decision=decision.number)


def _version(found: ArtifactVersion, collection: Collection, number: int) -> dict[str, Any]:
    """Return the fields of an event about a version."""
    content = found.content
    return {
        "name": collection.name,
        "artifact_entity": collection.entity,
        "artifact_project": collection.project,
        "version": number,
        "type": found.type,
        "digest": content.digest,
        "manifest_key": content.manifest_key,
        "size": content.size,
        "file_count": content.file_count,
    }


async def _change(
    services: Services, command: ArtifactCommand, collection: Collection, number: int | None, changes: Any
) -> ArtifactDecision:
    decision = await services.artifact_decisions.change(collection, number, command_request(command.key))
    event = command.about(collection, number, decision.number, ArtifactAction.UPDATE, changes=values.dump(changes))
    await services.commands.publish(event)
    return ArtifactDecision(version=number, decision=decision.number)


async def _delete(
    services: Services, command: ArtifactCommand, collection: Collection, number: int | None
) -> ArtifactDecision:
    decision = await services.artifact_decisions.delete(collection, number, command_request(command.key))
    event = command.about(collection, number, decision.number, kind=Kind.DELETED)
    await services.commands.publish(event)
    return ArtifactDecision(version=number, decision=decision.number)


def _checked(change: ArtifactChange) -> dict[str, Any]:
    """Return what is changed; raises BadParameter for invalid labels, and for what is too large for an event."""
    _check(change)
    changes = change.model_dump(exclude_none=True)
    try:
        if change.metadata is not None:
            changes["metadata"] = values.load(json.dumps(change.metadata))  # with floats that JSON cannot represent
        text = values.dump(changes)
        values.check(text, depth=DEFAULT_LIMITS.depth)
    except (RecursionError, ValueError) as error:
        raise BadParameter("metadata", f"{error or 'it is nested too deep'}") from error
    if len(text) > _LARGEST:
        raise BadParameter("metadata", f"the change has {len(text)} bytes of JSON: expected up to {_LARGEST}")
    return changes


def _check(change: ArtifactChange) -> None:
    """Raise BadParameter for names that aliases or tags cannot have, and for aliases that follow from the versions."""
    for alias in _all(change.aliases):
        problem = problem_of_alias(alias)
        if is_reserved_alias(alias):
            problem = "it follows from the versions, and cannot be given or removed"
        if problem:
            raise BadParameter("aliases", f"invalid alias {alias!r}: {problem}")
    for tag in change.tags.add if change.tags else ():
        if problem := problem_of_tag(tag):
            raise BadParameter("tags", f"invalid tag {tag!r}: {problem}")


def _all(labels: Labels | None) -> Sequence[str]:
    return () if labels is None else [*labels.add, *labels.remove]
