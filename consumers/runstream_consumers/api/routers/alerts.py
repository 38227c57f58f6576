"""Alerts: of one run, and of all runs of a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runstream_consumers.alerts import reader as alerts
from runstream_consumers.alerts.reader import Alert, AlertCursor
from runstream_consumers.api.documents import models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import TheConnection, TheRun
from runstream_schemas.topics import canonical_project

router = APIRouter(prefix="/api/v1", tags=["alerts"])

_GREATEST = 2**63 - 1

Repeats = Annotated[bool, Query(description="Also repeats within the wait duration of an alert")]
After = Annotated[str | None, Query(description="`next` of the previous response")]


@router.get(f"{RUN}/alerts", summary="Alerts of a run", responses=described(models.AlertList))
async def run_alerts(
    run: TheRun,
    connection: TheConnection,
    *,
    repeats: Repeats = False,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    after: After = None,
) -> Response:
    """Return the alerts of a run, oldest first; `next` is null at the end."""
    await documents.find(connection, run)
    offset = -1 if after is None else _numbers(after, 1)[0]
    found = await alerts.of_run(connection, run, repeats=repeats, limit=limit, after=offset)
    following = str(found[-1].offset) if len(found) == limit else None
    return ValuesResponse(models.AlertList(alerts=[_alert(item) for item in found], next=following))


@router.get("/alerts", summary="Alerts of a project, newest first", responses=described(models.AlertList))
async def project_alerts(
    connection: TheConnection,
    *,
    entity: str | None = None,
    project: str | None = None,
    repeats: Repeats = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: After = None,
) -> Response:
    """Return the alerts of all runs of a project, or of all projects; `next` is null at the end."""
    cursor = None if after is None else _cursor(after)
    project = None if project is None else canonical_project(project)
    found = await alerts.of_project(
        connection, entity=entity, project=project, repeats=repeats, limit=limit, after=cursor
    )
    following = ".".join(map(str, found[-1].place)) if len(found) == limit else None
    return ValuesResponse(models.AlertList(alerts=[_alert(item) for item in found], next=following))


def _alert(alert: Alert) -> models.Alert:
    return models.Alert(
        entity=alert.run.entity,
        project=alert.run.project,
        run=alert.run.run_id,
        title=alert.title,
        full_title=alert.full_title,
        text=alert.text,
        level=alert.level,
        wait_duration=alert.wait_ms / 1000,
        time=documents.seconds(alert.append_time),
        raised=documents.seconds(alert.time),
        writer=alert.writer.hex(),
        repeat=alert.repeat,
        repeats=alert.repeats,
    )


def _cursor(text: str) -> AlertCursor:
    time, partition, offset = _numbers(text, 3)
    return time, min(partition, 2**31 - 1), offset


def _numbers(text: str, count: int) -> list[int]:
    parts = text.split(".")
    if len(parts) != count or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):  # noqa: PLR2004
        raise BadParameter("after", "expected the `next` of a previous response")
    return [min(int(part), _GREATEST) for part in parts]
