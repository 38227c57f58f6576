"""Streams of server-sent events: what changes of a run or a project, from a cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.answers import EVENTS
from runstream_consumers.api.following.changed_runs import ProjectPath
from runstream_consumers.api.following.changes import Followed
from runstream_consumers.api.following.cursors import ProjectCursor, RunCursor
from runstream_consumers.api.following.messages import Feed, FeedResponse, Follower
from runstream_consumers.api.following.project_follower import ProjectFollower
from runstream_consumers.api.following.run_follower import RunFollower, RunQuery
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.routers.history import Hidden, Keys, StreamName, reading
from runstream_consumers.api.routers.runs import RUN
from runstream_consumers.api.services import CostlyReads, Name, Services, TheClient, TheReads, TheRun, TheServices
from runstream_consumers.archive.stored_blocks import StoredBlocks
from runstream_consumers.history.arrivals.rows import RowSelection, last_place
from runstream_schemas.events import Stream
from runstream_schemas.topics import Topic, canonical_project, is_name, partition_of, topic_name

router = APIRouter(prefix="/api/v1", tags=["following"])

#: Characters of a cursor.
_LONGEST = 8000

Given = Annotated[str | None, Query(alias="cursor", max_length=_LONGEST, description="`id` of the last event")]
LastEventId = Annotated[str | None, Header(max_length=_LONGEST, description="As `cursor`; has precedence")]
Begin = Annotated[Literal["start", "now"], Query(description="Where to begin without a cursor")]
Parts = Annotated[list[Literal["rows", "summary", "state"]] | None, Query(description="Only these. Repeatable.")]


@router.get(
    f"{RUN}/follow",
    summary="Rows, summary and state of a run as they are stored, as server-sent events",
    response_class=Response,
    responses=EVENTS,
)
async def follow_run(
    run: TheRun,
    reads: TheReads,
    services: TheServices,
    *,
    keys: Keys = None,
    stream: StreamName = "history",
    hidden: Hidden = False,
    parts: Parts = None,
    begin: Begin = "start",
    cursor: Given = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Send rows in the order of their arrival, each once, and the summary and the state when they have changed.

    Events are `rows`, `summary`, `state`, and `end` after everything of an ended run was sent. Their `id` is the
    cursor from which a later request continues. 204 if everything was sent before, so that browsers do not reconnect.
    """
    query = RunQuery(
        rows=RowSelection(run, Stream(stream), keys, hidden),
        parts=frozenset(parts or ("rows", "summary", "state")),
        source=(topic_name(services.settings.prefix, Topic.LOG), partition_of(run, services.settings.partitions)),
    )
    given = last_event_id or cursor
    known = RunCursor.parse(given, query.digest) if given else await _beginning(reads, query.rows, begin)

    @asynccontextmanager
    async def read() -> AsyncIterator[tuple[Connection, StoredBlocks]]:
        async with reading(reads) as connection:
            yield connection, reads.blocks(connection)

    follower = RunFollower(read, query, known)
    return await _streamed(services, reads.client, run, follower, is_resumed=bool(given))


@router.get(
    "/projects/{entity}/{project}/follow",
    summary="Runs of a project that appear or change, as server-sent events",
    response_class=Response,
    responses=EVENTS,
)
async def follow_project(
    entity: Name,
    project: Name,
    client: TheClient,
    services: TheServices,
    *,
    begin: Annotated[Literal["start", "now"], Query(description="Where to begin without a cursor")] = "now",
    cursor: Given = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Send the documents of runs, as lists have them, when they appear or when their state or anything else changes.

    The first event has the cursor from which changes are sent; with `begin=start` all runs of the project follow. The
    stream has no end.
    """
    followed = ProjectPath(entity, canonical_project(project))
    for name, part in zip(("entity", "project"), followed, strict=True):
        if not is_name(part):
            raise BadParameter(name, f"{part!r} cannot be part of a run path")
    given = last_event_id or cursor
    known = ProjectCursor.parse(given, ProjectFollower.query(followed)) if given else None
    if not given and begin == "start":
        known = ProjectCursor.of_everything()

    @asynccontextmanager
    async def read() -> AsyncIterator[Connection]:
        async with services.fair_share.read(client, followed), services.database.connection() as connection:
            yield connection

    follower = ProjectFollower(read, followed, known, url=services.settings.url)
    return await _streamed(services, client, followed, follower)


async def _beginning(reads: CostlyReads, rows: RowSelection, begin: str) -> RunCursor:
    if begin == "start":
        return RunCursor()
    async with reading(reads) as connection:
        await documents.find(connection, rows.run)
        return RunCursor(place=await last_place(reads.blocks(connection), rows))


async def _streamed(
    services: Services, client: str, followed: Followed, follower: Follower, *, is_resumed: bool = False
) -> Response:
    """Return the response that sends what follows; a problem if the first events cannot be read."""
    with ExitStack() as opening:
        opening.enter_context(services.streams.opened(client))
        watch = opening.enter_context(services.changes.watching(followed))
        messages = follower.unsent()
        first = await anext(messages, None)
        if first is None and follower.last is not None and is_resumed:
            return Response(status_code=204)
        held = opening.pop_all()
        return FeedResponse(Feed(follower, watch, messages, first), held.close)
