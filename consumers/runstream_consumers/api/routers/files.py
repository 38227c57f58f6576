"""Files of runs: lists, contents, and commands that add or delete one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from runstream_consumers.api.content import Content
from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import file_models as models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import CONTENT, ValuesResponse, described
from runstream_consumers.api.documents.inherited import files_of
from runstream_consumers.api.kafka.command_events import change_file
from runstream_consumers.api.problems import BadParameter, Problem
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.security.access import ThePrincipal
from runstream_consumers.api.services import (
    Download,
    Scripts,
    TheConnection,
    TheContents,
    TheKey,
    TheRun,
    TheServices,
)
from runstream_consumers.api.uploads import Uploads
from runstream_consumers.files import reader as files
from runstream_consumers.files.model import FileRow, FileState
from runstream_schemas.events import Kind
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.stored.objects import object_key
from runstream_schemas.topics import RunPath

router = APIRouter(prefix="/api/v1", tags=["files"])

_LONGEST = 1024
#: SQL's wildcards only: a pattern with many of them could take forever.
_MOST_WILDCARDS = 20


@router.get(f"{RUN}/files", summary="The files of a run", responses=described(models.FileList))
async def run_files(
    run: TheRun,
    connection: TheConnection,
    services: TheServices,
    *,
    name: Annotated[list[str], Query(max_length=1000, description="Name of a file; may be repeated")] = [],  # noqa: B006
    pattern: Annotated[
        str | None, Query(max_length=_LONGEST, description="A pattern of names, as for LIKE in SQL")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(max_length=_LONGEST, description="`next` of the previous response")] = "",
) -> Response:
    """Return a page of the files that were not deleted, by name; `next` is null at the end."""
    if name and pattern is not None:
        raise BadParameter("pattern", "expected either names or a pattern, not both")
    if pattern is not None and pattern.count("%") > _MOST_WILDCARDS:
        raise BadParameter("pattern", f"expected at most {_MOST_WILDCARDS} wildcards %")
    if pattern is not None and (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise BadParameter("pattern", "it ends with the escape character \\; write \\\\ for a backslash")
    rows = await files.of_run(connection, run, names=name or None, pattern=pattern, limit=limit, after=after)
    if not rows:
        await documents.find(connection, run)
    found = [models.file_of(run, row, services.settings.url) for row in rows]
    return ValuesResponse(models.FileList(files=found, next=rows[-1].path if len(rows) == limit else None))


@router.head(f"{RUN}/files/{{path:path}}", include_in_schema=False)
@router.get(f"{RUN}/files/{{path:path}}", summary="The content of a file", response_class=Response, responses=CONTENT)
async def content(
    run: TheRun,
    path: str,
    request: Request,
    services: TheServices,
    contents: TheContents,
    *,
    download: Download = False,
    scripts: Scripts = False,
) -> Response:
    """Return the bytes of a file, or a range of them; the media type follows from the bytes.

    A run that continues another one has the files in `media/` that its inherited rows name.
    """
    async with services.database.connection() as connection:
        found = {} if problem_of_name(path) else await files_of(connection, run, [path])
        owner, row = found.get(path) or (run, await _find(connection, run, path))
    _require_content(owner, row)
    assert row.sha256 is not None  # noqa: S101 — a stored file has one
    stored = Content(key=object_key(owner.entity, row.sha256), size=row.size, sha256=row.sha256, name=path)
    return await contents.respond(request, stored, download=download, scripts=scripts)


@router.post(f"{RUN}/files", summary="Add a file whose bytes are stored")
async def add(
    run: TheRun,
    services: TheServices,
    contents: TheContents,
    principal: ThePrincipal,
    *,
    key: TheKey,
    given: models.NewFile,
) -> models.FileName:
    """Respond once the broker has the event; 409 `not_stored` unless the object store has the bytes."""
    if problem := problem_of_name(given.name):
        raise BadParameter("name", f"Invalid name of a file {given.name[:200]!r}: {problem}")
    async with services.database.connection() as connection:
        await documents.find(connection, run)
    sha256 = bytes.fromhex(given.sha256)
    problems = await Uploads(contents.store, services.control, run.entity).confirm({sha256: given.size})
    if problem := problems.get(sha256, ""):
        raise Problem(409, "not_stored", f"The content of {given.name!r} is not stored: {problem}.")
    event = change_file(run, key, given.name, principal, size=given.size, sha256=sha256, media_type=given.media_type)
    await services.commands.publish(event)
    return models.FileName(name=given.name)


@router.delete(f"{RUN}/files/{{path:path}}", summary="Delete a file")
async def delete(
    run: TheRun, path: str, services: TheServices, principal: ThePrincipal, key: TheKey
) -> models.FileName:
    """Respond once the broker has the event; the bytes are deleted when nothing refers to them."""
    async with services.database.connection() as connection:
        await _find(connection, run, path)
    await services.commands.publish(change_file(run, key, path, principal, kind=Kind.DELETED))
    return models.FileName(name=path)


async def _find(connection: Connection, run: RunPath, path: str) -> FileRow:
    """Return a file; a problem if there is none."""
    row = None if problem_of_name(path) else await files.one(connection, run, path)
    if row is None or row.state is FileState.DELETED:
        await documents.find(connection, run)
        message = f"{run} has no file {path!r}." if row is None else f"The file {path!r} of {run} was deleted."
        raise Problem(404, "file_not_found", message)
    return row


def _require_content(run: RunPath, row: FileRow) -> None:
    """Raise a problem if the content of a file is not stored."""
    if row.state is FileState.UPLOADING:
        raise Problem(404, "file_not_stored", f"The file {row.path!r} of {run} is not uploaded yet.")
    if row.state is FileState.DROPPED:
        raise Problem(404, "file_not_stored", f"The file {row.path!r} of {run} could not be kept: {row.reason}.")
