"""Uploads of objects: presigned requests for what is not stored yet, and checks of what was stored."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from runstream_consumers.api.documents import object_models as models
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.services import Name, TheServices, TheStore
from runstream_consumers.api.uploads import Uploads

router = APIRouter(prefix="/api/v1/entities/{entity}/objects", tags=["objects"])


async def uploads(entity: Name, store: TheStore, services: TheServices) -> Uploads:
    """Return the uploads of the entity in the path of a request."""
    return Uploads(store, services.control, entity)


async def sha256(sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> bytes:
    """Return the hash in the path of a request."""
    return bytes.fromhex(sha256)


TheUploads = Annotated[Uploads, Depends(uploads)]
TheHash = Annotated[bytes, Depends(sha256)]


@router.post("", summary="Which objects are stored, and how to store the others")
async def plan(uploads: TheUploads, services: TheServices, given: models.Contents) -> models.UploadPlan:
    """Return for each object `stored`, else a presigned PUT, or from 64 MiB on an upload of parts."""
    steps = await uploads.plan(_sizes(given.objects), _md5s(given.objects))
    kept_s = int(services.settings.object_grace_s)
    return models.UploadPlan(objects=steps, expires_s=uploads.store.expires_s, kept_s=kept_s)


@router.post("/confirm", summary="Whether objects are stored")
async def confirm(uploads: TheUploads, services: TheServices, given: models.Contents) -> models.Confirmation:
    """Look for objects in the store. Those that are stored with this size are known as stored from now on.

    `md5` means that the store has acknowledged the PUT with this MD5 as ETag: of these, only a sample is looked for,
    and all of them if it is not complete.
    """
    sizes = _sizes(given.objects)
    problems = await uploads.confirm(sizes, _md5s(given.objects))
    return models.Confirmation(
        objects=[
            models.Confirmed(sha256=one.hex(), stored=one not in problems, reason=problems.get(one, ""))
            for one in sizes
        ],
        kept_s=int(services.settings.object_grace_s),
    )


@router.post("/{sha256}/parts", summary="Presigned requests for parts")
async def part_urls(uploads: TheUploads, sha256: TheHash, given: models.PartNumbers) -> models.PartUrls:
    """Return where parts are stored with PUT; 404 `no_such_upload` if the upload is complete or was discarded."""
    urls = await uploads.part_urls(sha256, given.upload_id, given.numbers)
    parts = [models.PartUrl(number=number, url=url) for number, url in urls.items()]
    return models.PartUrls(parts=parts, expires_s=uploads.store.expires_s)


@router.get("/{sha256}/parts", summary="The parts that the store has")
async def parts(
    uploads: TheUploads, sha256: TheHash, upload_id: Annotated[str, Query(max_length=1000)]
) -> models.StoredParts:
    """Return the parts of an upload, by number."""
    found = await uploads.parts(sha256, upload_id)
    return models.StoredParts(
        parts=[models.StoredPart(number=part.number, etag=part.etag, size=part.size) for part in found]
    )


@router.post("/{sha256}/complete", summary="Make an object of its parts")
async def complete(uploads: TheUploads, sha256: TheHash, given: models.SentParts) -> models.Stored:
    """Join parts once the store has exactly these; 409 `parts_differ` names the others."""
    etags = {part.number: part.etag for part in given.parts}
    await uploads.complete(sha256, given.upload_id, given.size, etags)
    return models.Stored()


def _sizes(objects: Iterable[models.Content]) -> Mapping[bytes, int]:
    """Return the sizes by hash; a hash may be repeated."""
    sizes: dict[bytes, int] = {}
    for one in objects:
        if sizes.setdefault(bytes.fromhex(one.sha256), one.size) != one.size:
            raise BadParameter("objects", f"{one.sha256} is listed with two sizes")
    return sizes


def _md5s(objects: Iterable[models.Content]) -> Mapping[bytes, bytes]:
    return {bytes.fromhex(one.sha256): base64.b64decode(one.md5) for one in objects if one.md5}
