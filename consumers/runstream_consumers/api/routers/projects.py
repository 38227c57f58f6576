"""Projects: those that have runs, and those that were created."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.services import TheConnection, TheServices
from runstream_consumers.control import projects as created_projects
from runstream_consumers.summary import reader as summary
from runstream_schemas.topics import canonical_project, is_name

router = APIRouter(prefix="/api/v1", tags=["runs"])


class ProjectBody(BaseModel):
    """The project that is created."""

    model_config = ConfigDict(extra="forbid")

    #: The default entity if it is left out.
    entity: str | None = None
    project: str


@router.get("/projects", summary="Projects, most recently changed first", responses=described(models.ProjectList))
async def projects(
    connection: TheConnection,
    services: TheServices,
    entity: Annotated[str | None, Query(max_length=500, description="Those of this entity")] = None,
) -> Response:
    """Return each project's entity, name, number of runs, last change and page; projects without runs are last."""
    found = {(item.entity, item.project): item for item in await summary.projects(connection)}
    listed = [
        _project(services, name, item.runs, documents.iso(item.updated))
        for name, item in found.items()
        if entity in {None, name[0]}
    ]
    empty = [one for one in await created_projects.created(connection, entity) if one[:2] not in found]
    listed += [_project(services, (one.entity, one.project), 0, one.created.isoformat()) for one in empty]
    return ValuesResponse(models.ProjectList(projects=listed))


@router.post("/projects", summary="Create a project", responses=described(models.Project))
async def create_project(services: TheServices, body: ProjectBody) -> models.Project:
    """Create a project; nothing changes if it exists. A project that a run names needs no creation."""
    name = body.entity or services.settings.entity, canonical_project(body.project)
    for field, part in zip(("entity", "project"), name, strict=True):
        if not is_name(part):
            raise BadParameter(field, f"{part!r} cannot be part of a run path")
    async with services.control.connection() as connection:
        await created_projects.create(connection, *name)
        (found,) = [one for one in await created_projects.created(connection, name[0]) if one.project == name[1]]
    return _project(services, name, 0, found.created.isoformat())


def _project(services: TheServices, name: tuple[str, str], runs: int, updated: str) -> models.Project:
    url = f"{services.settings.url}{documents.project_path(*name)}"
    return models.Project(entity=name[0], project=name[1], runs=runs, updated_at=updated, url=url)
