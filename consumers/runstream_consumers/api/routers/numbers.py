"""The number of a run in its project, which distinguishes generated names."""

from __future__ import annotations

from fastapi import APIRouter

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import TheRun, TheServices
from runstream_schemas.topics import is_name

router = APIRouter(prefix="/api/v1", tags=["runs"])


@router.post(
    f"{RUN}/number", summary="Assign a run its number in the project", responses=described(models.NumberAnswer)
)
async def number(run: TheRun, services: TheServices) -> models.NumberAnswer:
    """Return the run's number: the same one for every request, and unique in the project.

    The run may still be unknown. The client publishes the number as the run's attribute ``number``.
    """
    for name, part in (("entity", run.entity), ("project", run.project), ("run_id", run.run_id)):
        if not is_name(part):
            raise BadParameter(name, f"{part!r} cannot be part of a run path")
    return models.NumberAnswer(number=await services.control.number(run))
