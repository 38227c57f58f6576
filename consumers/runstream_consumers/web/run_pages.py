"""The page of a run, the parts of it that change, and the list of its charts."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from runstream_consumers.alerts import reader as alerts
from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse
from runstream_consumers.api.documents.delivery_report import delivery_report
from runstream_consumers.api.documents.models import DeliveryReport, RunDocument
from runstream_consumers.api.documents.run_documents import FoundRun
from runstream_consumers.api.security.headers import allow_frames
from runstream_consumers.api.services import TheConnection, TheReads, TheRun, TheServices
from runstream_consumers.history import latest
from runstream_consumers.history import reader as history
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.summary import reader as summary
from runstream_consumers.web import filters, view
from runstream_consumers.web.console_pages import latest_lines
from runstream_consumers.web.histograms import histograms
from runstream_consumers.web.media import media_pages
from runstream_consumers.web.media.values import media_in
from runstream_consumers.web.rendering import render
from runstream_consumers.web.responses import unless_known
from runstream_schemas.events import Stream

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
router.include_router(media_pages.router)

_RUN = "/{entity}/{project}/runs/{run_id}"
_ALERTS = 100
#: Values of the summary or the config that are listed; others are found by the search.
_LISTED = 300


@router.get(_RUN)
async def run(
    request: Request,
    run: TheRun,
    connection: TheConnection,
    services: TheServices,
    *,
    embed: Annotated[bool, Query(description="Omit the navigation, for a frame")] = False,
    parts: Annotated[bool, Query(description="Only what changes while a run is running")] = False,
    search: Annotated[str, Query(max_length=500, description="Only summary and config keys with these words")] = "",
) -> Response:
    """Show a run; ``embed`` omits the navigation, and permits notebooks to show the page in a frame."""
    if embed:
        allow_frames(request)
    found = await documents.find(connection, run)
    values = await _values(connection, found, services.settings.url, search)
    lines = None if parts else await latest_lines(connection, run)
    text = render("run.html", embed=embed, layout="parts_only.html" if parts else "base.html", console=lines, **values)
    return unless_known(request, HTMLResponse(text)) if parts else HTMLResponse(text)


@router.get(f"{_RUN}/charts")
async def charts(request: Request, run: TheRun, reads: TheReads) -> Response:
    """Return the sections of the run's charts, and the latest histogram of each key that has some."""
    async with reads.connection() as connection:
        found, blocks = await documents.find(connection, run), reads.blocks(connection)
        drawn = dict(histograms(found.document.summary))
        known = {*await summary.keys(connection, run), *await latest.branched_keys(blocks, run)}
        media = {key for key, _ in media_in(found.document.summary)}
        metrics = view.chart_groups(view.chart_keys(known, drawn, media), found.document.metrics, "metrics")
        system = view.changing(await history.keys(blocks, run, stream=Stream.SYSTEM))
    streams = {"history": metrics, "system": view.chart_groups(system, (), "system")}
    sections = [
        {"name": name, "stream": stream, "charts": [{"key": key, "x": x} for key, x in keys]}
        for stream, groups in streams.items()
        for name, keys in groups
    ]
    shown = {key: {"edges": one.edges, "counts": one.counts, "text": str(one)} for key, one in drawn.items()}
    return unless_known(request, ValuesResponse({"sections": sections, "histograms": shown}))


async def _values(connection: Connection, found: FoundRun, url: str, search: str) -> dict[str, Any]:
    progress = await runtime.progress(connection, found.run)
    quarantined = await runtime.quarantined(connection, found.run)
    report = delivery_report([] if found.state is None else found.state.writers, progress, quarantined)
    raised = await alerts.of_run(connection, found.run, limit=_ALERTS)
    document = documents.run_document(found, url)
    return {"alerts": raised, **page_values(found, document, report, search=search, now=time.time())}


def page_values(
    found: FoundRun, document: RunDocument, report: DeliveryReport, *, search: str, now: float
) -> dict[str, Any]:
    """Return what the template of a run shows, without alerts and console lines."""
    run, state = found.run, documents.state_answer(found.state, found.failures)
    project_path = documents.project_path(run.entity, run.project)
    metadata, texts = view.without_long(document.metadata)
    return {
        "run": document,
        "reason": view.reason(document.state, state.transitions),
        "pinned": view.pinned(document.pinned_config_keys, document.config),
        "api": f"/api/v1/runs{project_path}/{documents.run_path(run).rpartition('/')[2]}",
        "page": documents.run_path(run),
        "project_path": project_path,
        "live": document.state in view.OPEN or not report.arrived,
        "created": found.started,
        "client_start": found.client_start,
        "seconds": view.duration(found, now),
        "steps": view.steps_of(found),
        "transitions": state.transitions,
        "delivery": report,
        "totals": view.totals(report),
        "failed": (failed := view.other_failures(document, state.writers)),
        "troubled": bool(report.lost or report.quarantined or failed)
        or not (report.arrived or document.state in view.OPEN),
        "states": {writer.writer: writer for writer in state.writers},
        "config": view.matching(filters.pairs(document.config), search),
        "summary": view.matching(view.summary_pairs(document.summary), search),
        "metadata": list(filters.pairs(metadata)),
        "texts": texts,
        "origins": view.origins(found),
        "listed": _LISTED,
        "search": search,
    }
