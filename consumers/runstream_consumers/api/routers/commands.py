"""Commands to runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import described
from runstream_consumers.api.documents.run_bodies import (
    CommandAnswer,
    RunChange,
    RunCreation,
    StateBody,
    checked,
    problem_of_transition,
)
from runstream_consumers.api.documents.run_documents import find
from runstream_consumers.api.kafka.command_events import (
    RunCommand,
    change_attributes,
    set_state,
    stop_request,
    stopped_writers,
)
from runstream_consumers.api.problems import BadParameter, Problem, RunDeleted, RunNotFound
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.security.access import ThePrincipal
from runstream_consumers.api.services import Services, TheConnection, TheKey, TheRun, TheServices
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.summary import reader as summary
from runstream_schemas.topics import is_name

router = APIRouter(prefix="/api/v1", tags=["commands"])

#: States of a writer that can still receive a command.
_OPEN = frozenset({"pending", "running", "preempting"})
_PROCESSES = frozenset({"primary", "worker", "child"})

#: Writers that a set state may name: their ids must fit in an event.
_MOST_WRITERS = 20_000
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": models.ProblemAnswer, "description": "the run exists, or its state does not allow the change"}
}
_NOT_RUNNING: dict[int | str, dict[str, Any]] = {
    409: {"model": models.ProblemAnswer, "description": "no writer of the run is running"}
}


async def run_command(run: TheRun, key: TheKey, principal: ThePrincipal) -> RunCommand:
    """Return the command of a request."""
    return RunCommand(run, key, principal.id)


TheRunCommand = Annotated[RunCommand, Depends(run_command)]


@router.patch(RUN, summary="Change a run", responses=described(CommandAnswer))
async def change(
    connection: TheConnection, services: TheServices, command: TheRunCommand, body: RunChange
) -> CommandAnswer:
    """Change name, notes, tags, group, job type, and keys of config and summary.

    Responds once the broker has the change; readers show it when the consumer has stored it.
    """
    await find(connection, command.run)
    config = _checked("config", body.config.set), body.config.remove
    summary_ = _checked("summary", body.summary.set), body.summary.remove
    return await _publish(services, command, body.attributes, config, summary_)


@router.post(RUN, summary="Create a run", responses={**described(CommandAnswer), **_CONFLICT})
async def create(
    connection: TheConnection, services: TheServices, command: TheRunCommand, body: RunCreation
) -> CommandAnswer:
    """Create a run without a process, which has the state of the request until one writes to it.

    409 `run_exists` if something of the run has arrived.
    """
    run = command.run
    for name, part in (("entity", run.entity), ("project", run.project), ("run_id", run.run_id)):
        if not is_name(part):
            raise BadParameter(name, f"{part!r} cannot be part of a run path")
    if await _exists_already(connection, command):
        raise Problem(409, "run_exists", f"The run {run} exists: use another id, or change it.")
    number = await services.run_numbers.number(run)
    known = {
        "number": number,
        "start_time": time.time(),
        "sweep_id": body.sweep_id,
        "generated_name": body.generated_name,
    }
    attributes = body.attributes | {name: value for name, value in known.items() if value is not None}
    return await _publish(
        services, command, attributes | set_state(body.state, ()), (_checked("config", body.config), ())
    )


@router.post(f"{RUN}/state", summary="Set the state of a run", responses={**described(CommandAnswer), **_CONFLICT})
async def update_state(
    connection: TheConnection, services: TheServices, command: TheRunCommand, body: StateBody
) -> CommandAnswer:
    """Set the state against the processes that are known: it holds until another one writes to the run.

    To `pending` from `running`, `failed`, `crashed` or `preempted`, to `failed` from `pending` or `running`; else 409
    `transition_not_allowed`.
    """
    found = await find(connection, command.run)
    state = "pending" if found.state is None else found.state.state
    if (problem := problem_of_transition(state, body.state)) is not None:
        raise Problem(409, "transition_not_allowed", f"{problem}. The run is {command.run}.")
    writers = [] if found.state is None else found.state.writers
    processes = [one.writer for one in writers if one.role in _PROCESSES]
    if len(processes) > _MOST_WRITERS:
        raise Problem(409, "too_many_writers", f"{command.run} has {len(processes)} writers, limit {_MOST_WRITERS}.")
    return await _publish(services, command, set_state(body.state, processes))


@router.delete(RUN, summary="Delete a run", responses=described(CommandAnswer))
async def delete(connection: TheConnection, services: TheServices, command: TheRunCommand) -> CommandAnswer:
    """Delete a run with everything that it has logged, for good: its id cannot be used again.

    Responds once the broker has an event in each topic of the run; each consumer deletes what it has stored, and drops
    what arrives later. The artifacts that the run has logged remain.
    """
    await find(connection, command.run)
    for event in command.delete():
        await services.commands.publish(event)
    return CommandAnswer(writer=command.key.hex())


async def _exists_already(connection: Any, command: RunCommand) -> bool:
    """Return whether something of a run has arrived, except from the same request, which may be sent again."""
    try:
        await find(connection, command.run)
    except RunDeleted as error:
        raise Problem(409, "run_deleted", error.message) from error
    except RunNotFound:
        return False
    known = await runtime.progress(connection, command.run)
    return command.key not in {item.writer for item in known}


def _checked(name: str, given: dict[str, Any]) -> dict[str, Any]:
    try:
        return checked(given)
    except ValueError as error:
        raise BadParameter(name, str(error)) from error


async def _publish(services: Services, command: RunCommand, *changes: Any) -> CommandAnswer:
    for event in command.change(*changes):
        await services.commands.publish(event)
    return CommandAnswer(writer=command.key.hex())


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
    is_deleted = await runtime.is_deleted(connection, run)
    return models.StopState(writers=stopped_writers(attributes), deleted=is_deleted, ask_again_s=interval)
