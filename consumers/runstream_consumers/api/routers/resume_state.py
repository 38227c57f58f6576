"""The resume state of a run, for a process that is about to resume or branch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.services import TheRun, TheServices
from runstream_consumers.history import latest
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.runtime.registry import topic_owners
from runstream_consumers.summary import reader as summary
from runstream_schemas.attributes import validated
from runstream_schemas.events import Role, RunState
from runstream_schemas.topics import Topic

router = APIRouter(prefix="/api/v1/runs/{entity}/{project}/{run_id}", tags=["runs"])

_LEAST, _GREATEST = -(2**63), 2**63 - 1


@router.get("/resume-state", summary="What a process needs to resume a run", responses=described(models.ResumeState))
@router.get(
    "/standing",
    summary="Deprecated: use resume-state",
    responses=described(models.ResumeState),
    deprecated=True,
)
async def resume_state(
    run: TheRun,
    services: TheServices,
    *,
    step: Annotated[int | None, Query(ge=_LEAST, le=_GREATEST, description="Also the last values up to it")] = None,
    wait_s: Annotated[float, Query(gt=0, le=30, description="Maximum wait for consumers that lag")] = 5.0,
) -> Response:
    """Return the resume state once all events that the brokers have are stored; 503 `behind` if that takes too long.

    An unknown run is not an error: `exists` is false.
    """
    await services.read_barrier.wait(run, within_s=wait_s)
    async with services.database.connection() as connection:
        blocks = services.blocks(connection)
        document = await summary.run(connection, run)
        state = await liveness.state(connection, run)
        summary_state = await summary.summary_state(connection, run)
        last = await latest.last_step(blocks, run)
        at = None if step is None else await latest.last_values(blocks, run, step=step)
        progress = await runtime.progress(connection, run)
        is_deleted = await runtime.is_deleted(connection, run)
    known = document or summary.RunDocument(run=run)
    writers = [] if state is None else state.writers
    return ValuesResponse(
        models.ResumeState(
            exists=not is_deleted and (document is not None or state is not None),
            deleted=is_deleted,
            state=None if state is None else state.state,
            last_step=last,
            attributes=_valid(known.attributes),
            config=known.config,
            metrics=known.metrics,
            folds=summary_state,
            values=None if at is None else [(list(path), value) for path, value in at],
            writers=[*(_earlier(writer) for writer in writers), *_commands(writers, progress)],
            on_their_way=_in_transit(writers, progress),
        )
    )


def _valid(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that a process can continue with."""
    invalid = validated(attributes).invalid
    return {name: value for name, value in attributes.items() if name not in invalid}


def _in_transit(writers: Sequence[liveness.WriterState], progress: Sequence[runtime.WriterProgress]) -> int:
    """Return how many records that ended writers counted are not stored yet."""
    stored = {(item.writer, item.topic): item.next for item in progress if topic_owners().get(item.topic) == item.sink}
    return sum(
        max(0, writer.counts.get(topic.value, 0) - stored.get((writer.writer, topic), 0))
        for writer in writers
        if writer.counts is not None
        for topic in (Topic.LOG, Topic.CONFIG, Topic.SUMMARY)
    )


def _commands(
    writers: Sequence[liveness.WriterState], progress: Sequence[runtime.WriterProgress]
) -> list[models.EarlierWriter]:
    """Return the commands that set values of the summary, so that what a resumed run logs replaces these."""
    found = {item.writer for item in progress if item.topic is Topic.SUMMARY and item.sink == "summary"}
    return [
        models.EarlierWriter(
            writer=writer.hex(), role=Role.COMMAND.value, label="", state=RunState.FINISHED.value, continues=[]
        )
        for writer in sorted(found - {writer.writer for writer in writers})
    ]


def _earlier(writer: liveness.WriterState) -> models.EarlierWriter:
    return models.EarlierWriter(
        writer=writer.writer.hex(),
        role=writer.role,
        label=writer.label,
        state=writer.state,
        continues=[earlier.hex() for earlier in writer.continues],
    )
