"""Runs: lists, one run, its summary, config, state and delivery."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import models
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import ValuesResponse, described
from runstream_consumers.api.documents.delivery_report import delivery_report
from runstream_consumers.api.documents.effective_state import effective_state
from runstream_consumers.api.problems import BadParameter, RunNotFound
from runstream_consumers.api.run_lists.listing import RunQuery, count_runs, list_runs
from runstream_consumers.api.run_selection import After, TheFilter, TheOrder
from runstream_consumers.api.services import Services, TheClient, TheConnection, TheReads, TheRun, TheServices
from runstream_consumers.history import latest
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres import reader as runtime
from runstream_consumers.summary import reader as summary
from runstream_consumers.summary.key_names import InvalidPattern
from runstream_schemas.topics import is_name

router = APIRouter(prefix="/api/v1", tags=["runs"])


class KeyList(BaseModel):
    """Keys by name."""

    keys: list[str]
    next: str | None


RUN = "/runs/{entity}/{project}/{run_id}"


@router.get("/runs", summary="Runs, newest first", responses=described(models.RunList))
async def runs(
    client: TheClient,
    services: TheServices,
    selected: TheFilter,
    order: TheOrder,
    *,
    entity: str | None = None,
    project: str | None = None,
    run_id: Annotated[str | None, Query(alias="id")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: After = None,
) -> Response:
    """Return a page of the run documents that fulfill all conditions; `next` is null at the end.

    `truncated` is true if conditions or order are about config or summary and there are runs with so many keys that
    they are not found by all of them.
    """
    query = RunQuery(
        entity=entity, project=project, run_id=run_id, filter=selected, order=order, limit=limit, after=after
    )
    async with _selecting(services, client, query) as connection:
        page = await list_runs(connection, query)
    listed = [documents.listed_document(item, services.settings.url) for item in page.runs]
    return ValuesResponse(models.RunList(runs=listed, next=page.next, truncated=page.truncated))


@router.get("/runs/count", summary="The number of runs", responses=described(models.RunCount))
async def count(
    client: TheClient,
    services: TheServices,
    selected: TheFilter,
    *,
    entity: str | None = None,
    project: str | None = None,
    run_id: Annotated[str | None, Query(alias="id")] = None,
) -> Response:
    """Return how many runs fulfill all conditions, which are those of lists."""
    query = RunQuery(entity=entity, project=project, run_id=run_id, filter=selected)
    async with _selecting(services, client, query) as connection:
        return ValuesResponse(models.RunCount(count=await count_runs(connection, query)))


@asynccontextmanager
async def _selecting(services: Services, client: str, query: RunQuery) -> AsyncIterator[Connection]:
    """Provide a connection; for a query that tests or sorts all runs of a project, when it is the client's turn."""
    async with AsyncExitStack() as held:
        if query.tests_all_runs:
            await held.enter_async_context(services.selections.read(client, (query.entity, query.project)))
        yield await held.enter_async_context(services.database.connection())


@router.get(RUN, summary="One run", responses=described(models.RunDocument))
async def run(
    run: TheRun,
    services: TheServices,
    *,
    wait_s: Annotated[
        float | None, Query(gt=0, le=30, description="Wait so long until all that the brokers have is stored")
    ] = None,
) -> Response:
    """Return the document of a run; with `wait_s`, of everything that was published before the request, or 503."""
    if wait_s is not None:
        await services.read_barrier.wait(run, within_s=wait_s)
    async with services.database.connection() as connection:
        found = await documents.find(connection, run)
    return ValuesResponse(documents.run_document(found, services.settings.url))


@router.get(f"{RUN}/summary", summary="The summary of a run")
async def run_summary(run: TheRun, connection: TheConnection) -> Response:
    """Return the summary, nested as it was logged."""
    return ValuesResponse((await documents.find(connection, run)).document.summary)


@router.get(f"{RUN}/summary-state", summary="The summary state, for a process that resumes the run")
@router.get(f"{RUN}/folds", summary="Deprecated: use summary-state", deprecated=True)
async def run_summary_state(run: TheRun, connection: TheConnection) -> Response:
    """Return the summary state of a run: its keys, assignments and definitions (docs/summary.md)."""
    found = await summary.summary_state(connection, run)
    if found is None:
        raise RunNotFound(run)
    return ValuesResponse(found)


@router.get(f"{RUN}/config", summary="The config of a run")
async def run_config(run: TheRun, connection: TheConnection) -> Response:
    """Return the config, nested as it was logged."""
    return ValuesResponse((await documents.find(connection, run)).document.config)


@router.get(f"{RUN}/keys", summary="The keys of a run", responses=described(KeyList))
async def run_keys(
    run: TheRun,
    reads: TheReads,
    services: TheServices,
    *,
    regex: Annotated[
        str | None, Query(max_length=1000, description="A regular expression of RE2, found in the name")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    after: Annotated[str | None, Query(description="`next` of the previous response")] = None,
) -> Response:
    """Return the keys that ever had a number, by name; a key of nested dicts is their names joined by dots."""
    async with reads.connection() as connection:
        await documents.client_start(connection, run)
        inherited = await latest.branched_keys(reads.blocks(connection), run)
        try:
            found = await services.key_names.matching(connection, run, regex, others=inherited)
        except InvalidPattern as error:
            raise BadParameter("regex", f"{error}: expected a regular expression of RE2") from error
    page = [name for name in found if after is None or name > after][:limit]
    return ValuesResponse(KeyList(keys=page, next=page[-1] if len(page) == limit else None))


@router.get(
    f"{RUN}/state",
    summary="The state of a run, of its writers, and its transitions",
    responses=described(models.StateAnswer),
)
async def run_state(run: TheRun, connection: TheConnection) -> Response:
    """Return the state, its qualifiers, every writer and every transition with its reason."""
    found = await documents.find(connection, run)
    return ValuesResponse(documents.state_answer(found.state, found.failures))


@router.get(
    f"{RUN}/delivery", summary="What has arrived, by writer and topic", responses=described(models.DeliveryReport)
)
async def run_delivery(run: TheRun, connection: TheConnection) -> Response:
    """Return what each writer counted, what is stored of it and what is missing."""
    # The state is read first: stored records only increase, so that an older count cannot make a complete run look
    # incomplete.
    state = await liveness.state(connection, run)
    progress = await runtime.progress(connection, run)
    if state is None and not progress:
        await documents.find(connection, run)
    quarantined = await runtime.quarantined(connection, run)
    report = delivery_report([] if state is None else state.writers, progress, quarantined)
    qualifiers = [] if state is None else effective_state(state, report, now=time.time_ns() // 1000).qualifiers
    marks = {name: name in qualifiers for name in ("finishing", "incomplete")}
    return ValuesResponse(report.model_copy(update=marks))


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
    async with services.database.connection() as connection:
        is_deleted = await runtime.is_deleted(connection, run)
    return models.NumberAnswer(number=await services.run_numbers.number(run), deleted=is_deleted)
