"""How a run stands, for a process that is about to carry it on or to branch off from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from runstream_consumers.api.documents import models
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.kafka.read_barrier import caught_up
from runstream_consumers.api.services import TheRun, TheServices
from runstream_consumers.history import latest
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.runtime.registry import topic_owners
from runstream_consumers.summary import reader as summary
from runstream_schemas.topics import Topic

router = APIRouter(prefix="/api/v1/runs/{entity}/{project}/{run_id}", tags=["runs"])

_LEAST, _GREATEST = -(2**63), 2**63 - 1


@router.get("/standing", summary="What a process needs that carries a run on", responses=described(models.Standing))
async def standing(
    run: TheRun,
    services: TheServices,
    *,
    step: Annotated[int | None, Query(ge=_LEAST, le=_GREATEST, description="Also the last values up to it")] = None,
    wait_s: Annotated[float, Query(gt=0, le=30, description="Longest wait for consumers that are behind")] = 5.0,
) -> Response:
    """Return how a run stands once everything is stored that the brokers have; 503 `behind` where that takes too long.

    A run that nobody has heard of is no error: `exists` is false.
    """
    await caught_up(services, run, within_s=wait_s)
    async with services.database.connection() as connection:
        document = await summary.run(connection, run)
        state = await liveness.state(connection, run)
        folds = await summary.summary_state(connection, run)
        last = await latest.last_step(connection, run)
        at = None if step is None else await latest.last_values(connection, run, step=step)
        progress = await runtime.progress(connection, run)
    writers = [] if state is None else state.writers
    return ValuesResponse(
        {
            "exists": document is not None or state is not None,
            "state": None if state is None else state.state,
            "last_step": last,
            "attributes": {} if document is None else document.attributes,
            "config": {} if document is None else document.config,
            "metrics": [] if document is None else document.metrics,
            "folds": folds,
            "values": None if at is None else [[list(path), value] for path, value in at],
            "writers": _writers(writers),
            "on_their_way": _on_their_way(writers, progress),
        }
    )


def _on_their_way(writers: Sequence[liveness.WriterState], progress: Sequence[runtime.WriterProgress]) -> int:
    """Return how many records writers counted that have ended, and that lie behind what is stored of them."""
    stored = {(item.writer, item.topic): item.next for item in progress if topic_owners().get(item.topic) == item.sink}
    return sum(
        max(0, writer.counts.get(topic.value, 0) - stored.get((writer.writer, topic), 0))
        for writer in writers
        if writer.counts is not None
        for topic in (Topic.LOG, Topic.CONFIG, Topic.SUMMARY)
    )


def _writers(writers: Sequence[liveness.WriterState]) -> list[dict[str, Any]]:
    return [
        {
            "writer": writer.writer.hex(),
            "role": writer.role,
            "label": writer.label,
            "state": writer.state,
            "continues": [earlier.hex() for earlier in writer.continues],
        }
        for writer in writers
    ]
