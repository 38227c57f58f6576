"""The pages of files and artifacts of a run, of collections, and of artifact versions; JavaScript fills them."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.services import Name, TheConnection, TheRun
from runstream_consumers.web.rendering import render
from runstream_schemas.topics import canonical_project

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

_RUN = "/{entity}/{project}/runs/{run_id}"
_ARTIFACTS = "/{entity}/{project}/artifacts"


@router.get(f"{_RUN}/files")
async def files(run: TheRun, connection: TheConnection) -> str:
    """Show the files of a run as a tree."""
    return await _run_part(run, connection, "files")


@router.get(f"{_RUN}/artifacts")
async def artifacts(run: TheRun, connection: TheConnection) -> str:
    """Show the artifact versions that a run logged and used."""
    return await _run_part(run, connection, "artifacts")


async def _run_part(run: TheRun, connection: TheConnection, part: str) -> str:
    found = await documents.find(connection, run)
    here = documents.project_path(run.entity, run.project)
    page = documents.run_path(run)
    api = f"/api/v1/runs{here}/{page.rpartition('/')[2]}"
    return render("run_part.html", run=run, name=found.name, part=part, page=page, project_path=here, api=api)


@router.get(_ARTIFACTS)
async def collections(entity: Name, project: Name) -> str:
    """Show the artifact collections of a project."""
    return _artifact_page(entity, project)


@router.get(_ARTIFACTS + "/{name}")
async def latest(entity: Name, project: Name, name: Name) -> str:
    """Show the latest version of an artifact, and the others."""
    return _artifact_page(entity, project, name, "latest")


@router.get(_ARTIFACTS + "/{name}/{version}")
async def version(entity: Name, project: Name, name: Name, version: Name) -> str:
    """Show a version of an artifact: its files, metadata and lineage."""
    return _artifact_page(entity, project, name, version)


def _artifact_page(entity: str, project: str, name: str = "", version: str = "") -> str:
    project = canonical_project(project)
    here = documents.project_path(entity, project)
    artifact = f"{quote(name, safe='')}:{quote(version, safe='')}" if name else ""
    return render(
        "artifact.html", entity=entity, project=project, here=here, name=name, version=version, artifact=artifact
    )
