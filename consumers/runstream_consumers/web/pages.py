"""The routes of the pages."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from runstream_consumers.alerts import reader as alerts
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.delivery_report import delivery_report
from runstream_consumers.api.documents.run_listing import RunQuery, list_runs
from runstream_consumers.api.problems import Problem, RunNotFound
from runstream_consumers.api.security.headers import allow_frames
from runstream_consumers.api.services import Name, TheConnection, TheRun, TheServices
from runstream_consumers.history import latest
from runstream_consumers.history import reader as history
from runstream_consumers.history.block_source import BlockSource
from runstream_consumers.history.postgres_blocks import PostgresBlocks
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.summary import reader as summary
from runstream_consumers.web import filters, view
from runstream_consumers.web.filters import markdown
from runstream_schemas.events import Stream
from runstream_schemas.losses import lost_text
from runstream_schemas.topics import RunPath, canonical_project

#: The scripts, styles and images that pages load.
STATIC = Path(__file__).parent / "static"

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

_RUN = "/{entity}/{project}/runs/{run_id}"
_LINES = 400
_RUNS = 50
_ALERTS = 100
_LATEST_ALERTS = 3


@cache
def templates() -> Environment:
    """Return the templates; every value is escaped, and an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("runstream_consumers.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    for name in ("short", "exact", "duration", "ago", "iso", "clock", "count"):
        environment.filters[name] = getattr(filters, name)
    environment.filters["markdown"] = markdown
    environment.globals["lost_text"] = lost_text
    environment.globals["embed"] = False
    environment.filters["project_path"] = lambda project: documents.project_path(project.entity, project.project)
    return environment


def _render(template: str, **values: Any) -> str:
    return templates().get_template(template).render(**values)


@router.get("/")
async def projects(connection: TheConnection) -> str:
    """Show the projects."""
    return _render("projects.html", projects=await summary.projects(connection))


@router.get("/{entity}/{project}")
async def project(
    entity: Name, project: Name, connection: TheConnection, after: Annotated[str | None, Query()] = None
) -> str:
    """Show the runs of a project, newest first."""
    page = await list_runs(connection, RunQuery(entity=entity, project=project, limit=_RUNS, after=after))
    if not page.runs and after is None:
        raise Problem(404, "project_not_found", f"Project {entity}/{project} has no runs yet.")
    lines = [view.run_line(item, time.time()) for item in page.runs]
    name = canonical_project(project)
    shown_alerts = await alerts.of_project(connection, entity=entity, project=name, limit=_LATEST_ALERTS)
    return _render(
        "project.html",
        entity=entity,
        project=name,
        runs=lines,
        keys=view.columns(lines),
        alerts=[(alert, documents.run_path(alert.run)) for alert in shown_alerts],
        live=any(line.state in view.OPEN for line in lines),
        older=None if page.next is None else f"{documents.project_path(entity, project)}?after={page.next}",
    )


@router.get(_RUN)
async def run(
    request: Request,
    run: TheRun,
    connection: TheConnection,
    services: TheServices,
    embed: Annotated[bool, Query(description="Omit the navigation, for a frame")] = False,  # noqa: FBT002
) -> str:
    """Show a run; ``embed`` omits the navigation, and permits notebooks to show the page in a frame."""
    if embed:
        allow_frames(request)
    found, blocks = await documents.find(connection, run), PostgresBlocks(connection)
    state = documents.state_answer(found.state, found.failures)
    progress = await runtime.progress(connection, run)
    report = delivery_report([] if found.state is None else found.state.writers, progress)
    document = documents.run_document(found, services.settings.url)
    project_path = documents.project_path(run.entity, run.project)
    keys = sorted({*await summary.keys(connection, run), *await latest.branched_keys(blocks, run)})
    return _render(
        "run.html",
        embed=embed,
        run=document,
        alerts=await alerts.of_run(connection, run, limit=_ALERTS),
        pinned=view.pinned(document.pinned_config_keys, document.config),
        api=f"/api/v1/runs{project_path}/{documents.run_path(run).rpartition('/')[2]}",
        project_path=project_path,
        live=document.state in view.OPEN or not report.arrived,
        created=found.started,
        seconds=view.duration(found, time.time()),
        steps=view.steps_of(found),
        transitions=state.transitions,
        delivery=report,
        totals=view.totals(report),
        states={writer.writer: writer for writer in state.writers},
        config=list(filters.pairs(document.config)),
        summary=view.summary_pairs(document.summary),
        metadata=list(filters.pairs(document.metadata)),
        groups=view.chart_groups(keys, document.metrics, "metrics"),
        system=view.chart_groups(await history.keys(blocks, run, stream=Stream.SYSTEM), (), "system"),
        console=await _console(blocks, run),
    )


async def _console(blocks: BlockSource, run: RunPath) -> list[dict[str, Any]]:
    rows = await history.tail(blocks, run, stream=Stream.CONSOLE, rows=_LINES)
    several = len({str(row.values.get("label")) for row in rows}) > 1
    return [
        {
            "time": documents.seconds(row.time),
            "stream": "stderr" if row.values.get("stream") == "stderr" else "stdout",
            "text": row.values.get("text", ""),
            "label": row.values.get("label") if several else None,
        }
        for row in rows
    ]


def problem_page(request: Request, problem: Problem) -> Response | None:
    """Return the page of a problem, or None if the client is a program."""
    is_page = not request.url.path.startswith(("/api/", "/static/"))
    if not is_page or "text/html" not in request.headers.get("accept", ""):
        return None
    titles = {404: "Page not found", 503: "The stack is not ready"}
    title = titles.get(problem.status, "Something went wrong")
    if isinstance(problem, RunNotFound):
        title = "Waiting for this run"
    again = isinstance(problem, RunNotFound) or problem.status == 503  # noqa: PLR2004
    embed = request.query_params.get("embed") == "true"
    text = _render("problem.html", title=title, message=problem.message, again=again, embed=embed)
    return HTMLResponse(text, status_code=problem.status)
