"""Runs: lists, one run, its summary, config, state and delivery."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.documents.delivery import as_json, delivery
from runstream_consumers.api.documents.effective_state import settled
from runstream_consumers.api.problems import RunNotFound
from runstream_consumers.api.services import TheConnection, TheRun, TheServices
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.summary import reader as summary

router = APIRouter(prefix="/api/v1", tags=["runs"])

RUN = "/runs/{entity}/{project}/{run_id}"


@router.get("/projects", summary="Projects, last changed first", responses=described(models.ProjectList))
async def projects(connection: TheConnection, services: TheServices) -> dict[str, list[dict[str, Any]]]:
    """Return each project's entity, name, number of runs, last change and page."""
    found = await summary.projects(connection)
    return {
        "projects": [
            {
                "entity": item.entity,
                "project": item.project,
                "runs": item.runs,
                "updated_at": documents.iso(item.updated),
                "url": f"{services.url}/{item.entity}/{item.project}",
            }
            for item in found
        ]
    }


@router.get("/runs", summary="Runs, newest first", responses=described(models.RunList))
async def runs(
    connection: TheConnection,
    services: TheServices,
    *,
    entity: str | None = None,
    project: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(description="`next` of the answer before")] = None,
) -> Response:
    """Return a page of run documents; `next` is null at the end."""
    found = await documents.find_runs(connection, entity=entity, project=project, limit=limit, after=after)
    listed = [documents.run_json(item, services.url) for item in found]
    return ValuesResponse({"runs": listed, "next": documents.next_of(found, limit)})


@router.get(RUN, summary="One run", responses=described(models.RunDocument))
async def run(run: TheRun, connection: TheConnection, services: TheServices) -> Response:
    """Return the document of a run."""
    return ValuesResponse(documents.run_json(await documents.find(connection, run), services.url))


@router.get(f"{RUN}/summary", summary="The summary of a run")
async def run_summary(run: TheRun, connection: TheConnection) -> Response:
    """Return the summary, nested as it was logged."""
    found = await documents.find(connection, run)
    return ValuesResponse({} if found.document is None else found.document.summary)


@router.get(f"{RUN}/folds", summary="What a process that carries the run on goes on folding from")
async def run_folds(run: TheRun, connection: TheConnection) -> Response:
    """Return the folds, assignments and definitions of a run (docs/summary.md)."""
    found = await summary.summary_state(connection, run)
    if found is None:
        raise RunNotFound(run)
    return ValuesResponse(found)


@router.get(f"{RUN}/config", summary="The config of a run")
async def run_config(run: TheRun, connection: TheConnection) -> Response:
    """Return the config, nested as it was given."""
    found = await documents.find(connection, run)
    return ValuesResponse({} if found.document is None else found.document.config)


@router.get(
    f"{RUN}/state",
    summary="The state of a run, of its writers, and its transitions",
    responses=described(models.StateAnswer),
)
async def run_state(run: TheRun, connection: TheConnection) -> Response:
    """Return the state, its qualifiers, every writer and every transition with its reason."""
    found = await documents.find(connection, run)
    return ValuesResponse(documents.state_json(found.state))


@router.get(
    f"{RUN}/delivery", summary="What has arrived, per writer and topic", responses=described(models.DeliveryAnswer)
)
async def run_delivery(run: TheRun, connection: TheConnection) -> Response:
    """Return what each writer counted, what is stored of it and what is missing."""
    # States first: what is stored only grows, so a count read earlier can't make a whole run look incomplete for good.
    state = await liveness.state(connection, run)
    progress = await runtime.progress(connection, run)
    if state is None and not progress:
        await documents.find(connection, run)
    found = delivery([] if state is None else state.writers, progress)
    qualifiers = [] if state is None else settled(state, found, now=time.time_ns() // 1000).qualifiers
    marks = {name: name in qualifiers for name in ("finishing", "incomplete")}
    return ValuesResponse({**as_json(found), **marks})
