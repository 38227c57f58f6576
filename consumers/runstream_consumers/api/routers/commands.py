"""Commands to runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.kafka.command_events import change_attributes, stop_request, stopped_writers
from runstream_consumers.api.problems import Problem, RunNotFound
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.security.access import ThePrincipal
from runstream_consumers.api.services import TheConnection, TheKey, TheRun, TheServices
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.summary import reader as summary

router = APIRouter(prefix="/api/v1", tags=["commands"])

#: States of a writer that can still receive a command.
_OPEN = frozenset({"pending", "running", "preempting"})
_PROCESSES = frozenset({"primary", "worker", "child"})

_NOT_RUNNING: dict[int | str, dict[str, Any]] = {
    409: {"model": models.ProblemAnswer, "description": "no writer of the run is running"}
}


@router.post(
    f"{RUN}/stop",
    summary="Request that a run stops",
    responses={**described(models.StopAnswer), **_NOT_RUNNING},
)
async def stop(
    run: TheRun,
    connection: TheConnection,
    services: TheServices,
    principal: ThePrincipal,
    key: TheKey,
) -> models.StopAnswer:
    """Respond once the broker has the request, which applies to the writers that are running now, and to no later ones.

    404 if nothing of the run has arrived, 409 if none of its writers is running.
    """
    state = await liveness.state(connection, run)
    if state is None:
        raise RunNotFound(run)
    writers = [one.writer for one in state.writers if one.role in _PROCESSES and one.state in _OPEN]
    if not writers:
        raise Problem(409, "not_running", f"{run} is {state.state}: there is nothing to stop.")
    request = stop_request(writers, datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    await services.commands.publish(change_attributes(run, key, {"stop_requested": request}, principal))
    return models.StopAnswer(writers=request["writers"])


@router.get(f"{RUN}/stop", summary="The writers of a run that are asked to stop", responses=described(models.StopState))
async def stop_state(
    run: TheRun, connection: TheConnection, services: TheServices, answer: Response
) -> models.StopState:
    """Return the writers that are asked to stop, and when to poll again, in seconds; 200 for any run."""
    answer.headers["Cache-Control"] = "no-store"
    attributes = await summary.attributes(connection, run)
    interval = services.polling_pace.interval(run, time.monotonic())
    return models.StopState(writers=stopped_writers(attributes), ask_again_s=interval)
