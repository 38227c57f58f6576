"""The pages of projects, and of problems."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from runstream_consumers.alerts import reader as alerts
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.problems import Problem, RunNotFound
from runstream_consumers.api.run_lists.listing import RunQuery, list_runs
from runstream_consumers.api.run_selection import After, Texts, TheFilter, TheOrder
from runstream_consumers.api.services import Name, TheConnection
from runstream_consumers.summary import reader as summary
from runstream_consumers.web import console_pages, run_pages, run_parts, run_table, view
from runstream_consumers.web.rendering import render
from runstream_consumers.web.run_table import Column
from runstream_schemas.topics import canonical_project

#: The scripts, styles and images that pages load.
STATIC = Path(__file__).parent / "static"

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
router.include_router(run_pages.router)
router.include_router(console_pages.router)
router.include_router(run_parts.router)

_RUNS = 50
_LATEST_ALERTS = 3
#: States by which runs are selected with a link.
_STATES = ("running", "pending", "finished", "failed", "crashed", "killed", "preempted")


@router.get("/")
async def projects(connection: TheConnection) -> str:
    """Show the projects."""
    return render("projects.html", projects=await summary.projects(connection))


@router.get("/{entity}/{project}")
async def project(
    request: Request,
    entity: Name,
    project: Name,
    connection: TheConnection,
    *,
    selected: TheFilter,
    order: TheOrder,
    after: After = None,
    columns: Annotated[Texts, Query(description="`KEY`, `summary.KEY` or `config.KEY`, with commas between")] = [],  # noqa: B006
) -> str:
    """Show the runs of a project that fulfill all conditions, newest first unless another order is given."""
    query = RunQuery(entity=entity, project=project, filter=selected, order=order, limit=_RUNS, after=after)
    page = await list_runs(connection, query)
    known = [item for item in request.query_params.multi_items() if item[0] != "columns" or item[1]]
    if not page.runs and not known:
        raise Problem(404, "project_not_found", f"Project {entity}/{project} has no runs yet.")
    lines = [run_table.run_line(item, time.time()) for item in page.runs]
    names = [name.strip() for text in columns for name in text.split(",") if name.strip()]
    name = canonical_project(project)
    shown_alerts = await alerts.of_project(connection, entity=entity, project=name, limit=_LATEST_ALERTS)
    here = documents.project_path(entity, project)
    return render(
        "project.html",
        entity=entity,
        project=name,
        here=here,
        runs=lines,
        columns=[Column.parse(text) for text in names][: run_table.MOST_COLUMNS] or run_table.columns_of(lines),
        alerts=[(alert, documents.run_path(alert.run)) for alert in shown_alerts],
        live=any(line.state in view.OPEN for line in lines),
        link=lambda **changed: here + run_table.parameters(known, **changed),
        known=dict(known),
        states=_STATES,
        is_first=after is None,
        truncated=page.truncated,
        older=None if page.next is None else f"{here}{run_table.parameters(known)}&{urlencode({'after': page.next})}",
    )


def problem_page(request: Request, problem: Problem) -> Response | None:
    """Return the page of a problem, or None if the client is a program."""
    is_page = not request.url.path.startswith(("/api/", "/static/"))
    if not is_page or "text/html" not in request.headers.get("accept", ""):
        return None
    titles = {404: "Page not found", 422: "Invalid address", 503: "The stack is not ready"}
    title = titles.get(problem.status, "Something went wrong")
    if isinstance(problem, RunNotFound):
        title = "Waiting for this run"
    again = isinstance(problem, RunNotFound) or problem.status == 503  # noqa: PLR2004
    embed = request.query_params.get("embed") == "true"
    text = render("problem.html", title=title, message=problem.message, again=again, embed=embed)
    return HTMLResponse(text, status_code=problem.status)
