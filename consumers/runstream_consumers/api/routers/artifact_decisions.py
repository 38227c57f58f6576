"""Decisions that shippers request before they publish the event of an artifact."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from runstream_consumers.api.artifact_decisions import command_request, request_id
from runstream_consumers.api.artifact_selection import ARTIFACT, TheCollection, TheCommand, target_of
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.documents.artifact_models import CommitAnswer, CommitBody, LinkAnswer, LinkBody
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.services import TheServices
from runstream_consumers.artifact_decisions.model import Collection, Content, Link, wrong_collection
from runstream_schemas.events import ArtifactAction
from runstream_schemas.stored.artifact_names import (
    is_registry,
    problem_of_artifact_name,
)
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import is_name

router = APIRouter(prefix="/api/v1", tags=["artifacts"])


@router.post(
    f"{ARTIFACT}/commits", summary="Decide the version of a logged artifact", responses=described(CommitAnswer)
)
async def commit(collection: TheCollection, services: TheServices, body: CommitBody) -> CommitAnswer:
    """Return the version of a manifest that is stored: the same one for the same content, and for a repeated request.

    An upsert joins the open draft of its ``distributed_id``; the last one returns the version of the merged manifests.
    409 if the collection has another type (`wrong_type`), or holds links (`wrong_collection`).
    """
    content = _content(collection, body)
    if problem := problem_of_artifact_name(collection.name):
        raise BadParameter("name", f"invalid name of an artifact {collection.name!r}: {problem}")
    if body.type and not is_name(body.type):
        raise BadParameter("type", f"{body.type!r} has a slash or a control character")
    if body.action == "upsert" and not body.distributed_id:
        raise BadParameter("distributed_id", "expected the id that the writers of the artifact share")
    if is_registry(collection.project):
        refused = wrong_collection(collection, portfolio=True)
        raise BadParameter("project", str(refused))
    request = request_id(body.writer, body.seq)
    if body.action == "log":
        decision = await services.artifact_decisions.commit(collection, body.type, content, request)
    else:
        decide = services.artifact_decisions.finish if body.finalize else services.artifact_decisions.contribute
        decision = await decide(collection, body.type, body.distributed_id, content, request)
    if decision.version is not None:
        content = decision.version.content
    return CommitAnswer(
        version=None if decision.version is None else decision.version.number,
        decision=decision.number,
        draft=None if decision.draft is None else decision.draft.hex,
        type=body.type,
        digest=content.digest.hex(),
        manifest_key=content.manifest_key,
        size=content.size,
        file_count=content.file_count,
    )


@router.post(f"{ARTIFACT}/links", summary="Link a version to a collection", responses=described(LinkAnswer))
async def link(collection: TheCollection, services: TheServices, command: TheCommand, body: LinkBody) -> LinkAnswer:
    """Return the version of a link in its target, the same one for the same version and for a repeated request.

    A shipper, which publishes the event itself, names the `writer`; without one, the API publishes the event.
    """
    target = target_of(body.target)
    request = request_id(body.writer, body.seq) if body.writer else command_request(command.key)
    found = await services.artifact_decisions.link(collection, body.version, target, request)
    if not body.writer:
        await services.commands.publish(command.link(ArtifactAction.LINK, found, target, aliases=body.aliases))
    return _link_answer(found)


@router.delete(f"{ARTIFACT}/links", summary="Remove a link", responses=described(LinkAnswer))
async def unlink(
    collection: TheCollection,
    services: TheServices,
    command: TheCommand,
    body: Annotated[LinkBody, Query()],
) -> LinkAnswer:
    """Return the version of the removed link in its target. 404 if the version is not linked to it."""
    target = target_of(body.target)
    request = request_id(body.writer, body.seq) if body.writer else command_request(command.key)
    found = await services.artifact_decisions.unlink(collection, body.version, target, request)
    if not body.writer:
        await services.commands.publish(command.link(ArtifactAction.UNLINK, found, target))
    return _link_answer(found)


def _content(collection: Collection, body: CommitBody) -> Content:
    digest = bytes.fromhex(body.digest)
    if body.manifest_key != (key := object_key(collection.entity, digest)):
        raise BadParameter("manifest_key", f"expected {key}, the key of the manifest with this digest")
    return Content(digest=digest, manifest_key=key, size=body.size, file_count=body.file_count)


def _link_answer(found: Link) -> LinkAnswer:
    made, content = found.decision.version, found.version.content
    assert made is not None  # noqa: S101 — a decision about a link always has one
    return LinkAnswer(
        target_version=made.number,
        target_decision=found.decision.number,
        entity=found.source.entity,
        project=found.source.project,
        name=found.source.name,
        version=found.version.number,
        type=found.type,
        digest=content.digest.hex(),
        manifest_key=content.manifest_key,
        size=content.size,
        file_count=content.file_count,
    )
