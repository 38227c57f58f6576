"""Artifacts: types, collections, versions, their files, and the runs that logged and used them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from runstream_consumers.api.artifact_selection import (
    ARTIFACT,
    COLLECTION,
    VERSIONS,
    ArtifactNotFound,
    Reference,
    TheCollection,
    TheEntity,
    TheProject,
    TheReference,
    TheVersion,
)
from runstream_consumers.api.content import Content
from runstream_consumers.api.documents import artifact_documents as documents
from runstream_consumers.api.documents import artifact_models as models
from runstream_consumers.api.documents.answers import CONTENT, ValuesResponse, described
from runstream_consumers.api.problems import Problem
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import (
    Download,
    Scripts,
    Services,
    TheConnection,
    TheContents,
    TheRun,
    TheServices,
    TheStore,
)
from runstream_consumers.artifacts import reader
from runstream_consumers.artifacts.reader import ArtifactVersion, StoredContent
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.runtime.plugin import Connection
from runstream_schemas.stored.manifest import ManifestEntry
from runstream_schemas.stored.objects import object_key

router = APIRouter(prefix="/api/v1", tags=["artifacts"])

Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[str | None, Query(description="`next` of the previous response")]
AfterNumber = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="`next` of the previous response")]


@router.get(ARTIFACT, summary="A version of an artifact", responses=described(models.ArtifactDocument))
async def version(found: TheVersion) -> Response:
    """Return the version that `NAME:alias`, `NAME:v3` or `NAME:digest` names; the latest for `NAME`."""
    return ValuesResponse(documents.version_document(found))


@router.get(f"{ARTIFACT}/used-by", summary="The runs that used a version", responses=described(models.ArtifactRunList))
async def used_by(
    found: TheVersion, connection: TheConnection, *, limit: Limit = 50, after: AfterNumber = None
) -> Response:
    """Return the runs that used a version, itself or through a link, in order; `next` is null at the end."""
    return await _runs(connection, found, "used", limit, after or 0)


@router.get(
    f"{ARTIFACT}/logged-by", summary="The runs that logged a version", responses=described(models.ArtifactRunList)
)
async def logged_by(
    found: TheVersion, connection: TheConnection, *, limit: Limit = 50, after: AfterNumber = None
) -> Response:
    """Return the runs that logged a version, in order: more than one if they logged the same content."""
    return await _runs(connection, found, "logged", limit, after or 0)


async def _runs(connection: Connection, found: ArtifactVersion, direction: str, limit: int, start: int) -> Response:
    relations = await reader.runs_of(connection, found, direction, limit=limit, offset=start)
    following = str(start + limit) if len(relations) == limit else None
    return ValuesResponse(documents.run_list(relations, following))


@router.get(f"{ARTIFACT}/manifest", summary="The files of a version", responses=described(models.ArtifactManifest))
async def manifest(wanted: TheReference, services: TheServices, store: TheStore) -> Response:
    """Return the entries by path: of a file its size, SHA-256 and `url`, of a reference its `ref` and digest."""
    found = await _stored(services, wanted)
    read = await services.manifests.read(store, found.content.manifest_key)
    headers = {"ETag": f'"{found.content.digest.hex()}"'}
    # In a thread: the JSON of many files takes seconds.
    place = documents.artifact_path(wanted.collection, found.number)
    text = await asyncio.to_thread(documents.manifest_text, read, place)
    return Response(text, headers=headers, media_type="application/json")


@router.head(f"{ARTIFACT}/files/{{path:path}}", include_in_schema=False)
@router.get(
    f"{ARTIFACT}/files/{{path:path}}",
    summary="The content of a file of a version",
    response_class=Response,
    responses=CONTENT,
)
async def content(
    wanted: TheReference,
    path: str,
    request: Request,
    services: TheServices,
    contents: TheContents,
    *,
    download: Download = False,
    scripts: Scripts = False,
) -> Response:
    """Return the bytes of a file, or a range of them; the media type follows from the bytes.

    404 `file_not_found` if the version has no such file, `is_reference` if its bytes are elsewhere.
    """
    found = await _stored(services, wanted)
    entry = (await services.manifests.read(contents.store, found.content.manifest_key)).entries.get(path)
    if entry is None:
        raise Problem(404, "file_not_found", f"Artifact {wanted} has no file {path!r}.")
    if entry.reference:
        raise Problem(404, "is_reference", f"File {path!r} of artifact {wanted} is stored elsewhere: {entry.reference}")
    key = object_key(found.entity, entry.sha256)
    named = Content(key=key, size=entry.size, sha256=entry.sha256, name=path)
    return await contents.respond(request, named, download=download, scripts=scripts)


@router.post(f"{ARTIFACT}/urls", summary="Where the object store has files of a version")
async def urls(
    wanted: TheReference, services: TheServices, store: TheStore, given: models.FilePaths
) -> models.FileUrls:
    """Return presigned URLs, for downloads of many files: the bytes do not pass through this server.

    Paths that are no files of the version are left out.
    """
    found = await _stored(services, wanted)
    entries = (await services.manifests.read(store, found.content.manifest_key)).entries
    files = {path: entry for path in given.paths if (entry := entries.get(path)) and not entry.reference}
    signed = await asyncio.to_thread(_presigned, store, found.entity, files)
    return models.FileUrls(urls=signed, expires_s=store.expires_s)


def _presigned(store: ObjectStore, entity: str, files: Mapping[str, ManifestEntry]) -> dict[str, str]:
    return {
        path: store.presign_get(object_key(entity, entry.sha256), expires_s=store.expires_s).url
        for path, entry in files.items()
    }


async def _stored(services: Services, wanted: Reference) -> StoredContent:
    """Return what is stored of a version; no connection is held while the object store is read."""
    async with services.database.connection() as connection:
        found = await reader.find_content(connection, wanted.collection, wanted.version)
        if found is None:
            raise await wanted.missing(connection)
    return found


@router.get(
    "/artifact-registries/{entity}", summary="The registries of an entity", responses=described(models.RegistryList)
)
async def registries(entity: TheEntity, connection: TheConnection) -> Response:
    """Return the projects whose collections hold links only, each with the number of its collections."""
    found = await reader.registries(connection, entity)
    listed = [models.Registry(project=project, collections=count) for project, count in found]
    return ValuesResponse(models.RegistryList(registries=listed))


@router.get(
    "/artifact-types/{entity}/{project}",
    summary="The types of a project's artifacts",
    responses=described(models.ArtifactTypeList),
)
async def types(entity: TheEntity, project: TheProject, connection: TheConnection) -> Response:
    """Return the types that have a version, each with the number of its collections."""
    found = await reader.types(connection, entity, project)
    listed = [models.ArtifactType(type=kind, collections=count) for kind, count in found]
    return ValuesResponse(models.ArtifactTypeList(types=listed))


@router.get(
    "/artifact-collections/{entity}/{project}",
    summary="The collections of a project",
    responses=described(models.ArtifactCollectionList),
)
async def collections(
    entity: TheEntity,
    project: TheProject,
    connection: TheConnection,
    *,
    kind: Annotated[str | None, Query(alias="type")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """Return the collections that have a version, by name; `next` is null at the end."""
    found = await reader.collections(connection, entity, project, kind=kind, after=after, limit=limit)
    following = found[-1].collection.name if len(found) == limit else None
    listed = [documents.collection_document(one) for one in found]
    return ValuesResponse(models.ArtifactCollectionList(collections=listed, next=following))


@router.get(COLLECTION, summary="A collection", responses=described(models.ArtifactCollectionDocument))
async def collection(found: TheCollection, connection: TheConnection) -> Response:
    """Return a collection that has a version."""
    listed = await reader.collections(connection, found.entity, found.project, name=found.name)
    if not listed:
        raise ArtifactNotFound(str(found))
    return ValuesResponse(documents.collection_document(listed[0]))


@router.get(
    VERSIONS,
    summary="The versions of a collection, newest first",
    responses=described(models.ArtifactList),
)
async def versions(
    found: TheCollection, connection: TheConnection, *, limit: Limit = 50, after: AfterNumber = None
) -> Response:
    """Return versions of a collection; `next` is null at the end."""
    page = await reader.versions(connection, found, limit=limit, after=after)
    if not page and after is None:
        raise ArtifactNotFound(str(found))
    following = str(page[-1].number) if len(page) == limit else None
    listed = [documents.version_document(one) for one in page]
    return ValuesResponse(models.ArtifactList(artifacts=listed, next=following))


@router.get(
    f"{RUN}/artifacts", summary="The artifacts that a run logged or used", responses=described(models.RunArtifactList)
)
async def of_run(
    run: TheRun,
    connection: TheConnection,
    *,
    direction: Literal["logged", "used"] = "logged",
    limit: Limit = 50,
    after: AfterNumber = None,
) -> Response:
    """Return the versions that a run logged or used, in order; 200 for any run. `next` is null at the end."""
    start = after or 0
    page = await reader.of_run(connection, run, direction, limit=limit, offset=start)
    following = str(start + limit) if len(page) == limit else None
    listed = [documents.run_artifact(one, use_as) for one, use_as in page]
    return ValuesResponse(models.RunArtifactList(artifacts=listed, next=following))
