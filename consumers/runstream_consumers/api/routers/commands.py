"""Commands to runs."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.kafka.commands import change_of_attributes, stop_request, stopped_writers
from runstream_consumers.api.problems import BadParameter, Problem, RunNotFound
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import TheConnection, TheRun, TheServices
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.summary import reader as summary

router = APIRouter(prefix="/api/v1", tags=["commands"])

#: States of a writer that may still learn of a command.
_OPEN = frozenset({"pending", "running", "preempting"})
_PROCESSES = frozenset({"primary", "worker", "child"})


_NOT_RUNNING: dict[int | str, dict[str, Any]] = {
    409: {"model": models.ProblemAnswer, "description": "no process of the run is open"}
}


@router.post(
    f"{RUN}/stop",
    summary="Ask for a run to be stopped",
    responses={**described(models.StopAnswer), **_NOT_RUNNING},
)
async def stop(
    run: TheRun,
    connection: TheConnection,
    services: TheServices,
    idempotency_key: Annotated[
        str | None, Header(description="A UUID that names this request; given again, it counts once")
    ] = None,
) -> dict[str, Any]:
    """Answer once the broker has the request. It means the processes that are known to be open, and no later one.

    404 where nothing of the run has arrived, 409 where none of its processes is open.
    """
    key = _key(idempotency_key)
    state = await liveness.state(connection, run)
    if state is None:
        raise RunNotFound(run)
    writers = [one.writer for one in state.writers if one.role in _PROCESSES and one.state in _OPEN]
    if not writers:
        raise Problem(409, "not_running", f"{run} is {state.state}: there is nothing to stop.")
    asked = stop_request(writers, datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    await services.commands.publish(change_of_attributes(run, key, {"stop_requested": asked}))
    return {"writers": asked["writers"]}


@router.get(f"{RUN}/stop", summary="Which processes of a run are asked to stop", responses=described(models.StopState))
async def stop_state(run: TheRun, connection: TheConnection, services: TheServices, answer: Response) -> dict[str, Any]:
    """Return the writers that are asked to stop, and after how many seconds to ask again; 200 for any run."""
    answer.headers["Cache-Control"] = "no-store"
    attributes = await summary.attributes(connection, run)
    return {"writers": stopped_writers(attributes), "ask_again_s": services.pace.ask(run, time.monotonic())}


def _key(text: str | None) -> bytes:
    if text is None:
        return secrets.token_bytes(16)
    try:
        return UUID(text).bytes
    except ValueError as error:
        raise BadParameter("Idempotency-Key", "is no UUID") from error
