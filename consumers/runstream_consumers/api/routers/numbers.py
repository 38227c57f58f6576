"""The number of a run in its project, by which generated names are told apart."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import TheRun, TheServices
from runstream_schemas.topics import is_name

router = APIRouter(prefix="/api/v1", tags=["runs"])


@router.post(f"{RUN}/number", summary="Number a run in its project", responses=described(models.NumberAnswer))
async def number(run: TheRun, services: TheServices) -> dict[str, Any]:
    """Return the run's number: the same one however often it is asked for, and nobody else's in the project.

    The run need not have been heard of. Whoever asks publishes the answer as the run's attribute ``number``.
    """
    for name, part in (("entity", run.entity), ("project", run.project), ("run_id", run.run_id)):
        if not is_name(part):
            raise BadParameter(name, "cannot be a part of a run's path")
    return {"number": await services.control.number(run)}
