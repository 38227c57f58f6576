"""Lists of runs: filtered, in any order, page by page, at a bounded cost.

The summary consumer's tables have an index by creation only. Conditions are checked here, in parts of a few hundred
runs; a request examines at most :data:`_EXAMINED` runs and reads at most :data:`_CHARACTERS` of their documents.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents.effective_state import read_states
from runstream_consumers.api.documents.run_documents import FoundRun, read_losses
from runstream_consumers.api.documents.run_filter import RunFilter
from runstream_consumers.api.documents.run_order import NEWEST_FIRST, RunOrder
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.history.postgres_blocks import branches_of_runs
from runstream_consumers.liveness import failures
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary import reader as summary
from runstream_schemas.topics import canonical_project, is_name

#: Limits of one request: runs, and characters of JSON text.
_EXAMINED = 10_000
_CHARACTERS = 32_000_000
#: Runs that are read at once, without and with wide columns.
_PART, _WIDE_PART = 500, 100
#: How far the clock of a run may be ahead of the broker's.
_CLOCK_AHEAD_S = 86_400
#: Length of a cursor of a sorted list: the key of a run, and a number.
_CURSOR_BYTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """A page of a list of runs."""

    entity: str | None = None
    project: str | None = None
    run_id: str | None = None
    filter: RunFilter = field(default_factory=RunFilter)
    order: RunOrder = NEWEST_FIRST
    limit: int = 50
    #: ``next`` of the previous page.
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of runs."""

    runs: list[FoundRun]
    #: None at the end. A page that reached the limits of a request has fewer runs than requested, even none.
    next: str | None
    #: Whether older runs were not considered: a list that is not sorted by creation has only the newest ones.
    truncated: bool = False


async def list_runs(connection: Connection, query: RunQuery) -> RunPage:
    """Return a page of runs; raises BadParameter for an invalid cursor or name."""
    for name, value in (("entity", query.entity), ("project", query.project), ("id", query.run_id)):
        if value is not None and not is_name(value):
            raise BadParameter(name, f"{value!r} cannot be part of a run path")
    if query.project is not None:
        query = replace(query, project=canonical_project(query.project))
    page = await (_newest if query.order == NEWEST_FIRST else _sorted)(connection, query)
    stored = await summary.documents(connection, [item.run for item in page.runs])
    documents = {item.run: stored[item.run] for item in page.runs if item.run in stored}
    states = await read_states(connection, list(documents))
    lost = await read_losses(connection, list(documents))
    failed = await failures.read(connection, list(documents))
    branches = await branches_of_runs(connection, list(documents))
    runs = [
        FoundRun(
            run=run,
            document=document,
            state=states.get(run),
            losses=lost.get(run, ()),
            failures=failed.get(run, ()),
            branches=branches.get(run, ()),
        )
        for run, document in documents.items()
    ]
    return replace(page, runs=runs)


async def _newest(connection: Connection, query: RunQuery) -> RunPage:
    found: list[FoundRun] = []
    following = query.after
    async for matching, following in _parts(connection, query, query.after):
        found += matching
        if len(found) > query.limit or (len(found) == query.limit and following is not None):
            found = found[: query.limit]
            return RunPage(runs=found, next=found[-1].document.cursor)
    return RunPage(runs=found, next=following)


async def _sorted(connection: Connection, query: RunQuery) -> RunPage:
    found: list[FoundRun] = []
    following = None
    async for matching, following in _parts(connection, query, None):  # noqa: B007 - used at the end
        found += matching
    ordered = query.order.sort(found)
    start = _start(ordered, query.after)
    end = start + query.limit
    page = ordered[start:end]
    more = _cursor(page[-1], end) if end < len(ordered) else None
    return RunPage(runs=page, next=more, truncated=following is not None)


async def _parts(
    connection: Connection, query: RunQuery, after: str | None
) -> AsyncIterator[tuple[list[FoundRun], str | None]]:
    """Yield the runs that the filter accepts, newest first, part by part, each with the cursor that follows it.

    The last cursor is None if all runs were examined.
    """
    columns = _columns(query)
    size = _WIDE_PART if columns else query.limit + 1 if query.filter.is_empty else _PART
    examined = characters = 0
    while examined < _EXAMINED and characters < _CHARACTERS:
        part = await _read(connection, query, columns, limit=size, after=after)
        examined += len(part)
        characters += sum(item.document.size for item in part)
        after = part[-1].document.cursor if len(part) == size else None
        yield await _accepted(connection, query, part), after
        if after is None:
            return


async def _read(
    connection: Connection, query: RunQuery, columns: Sequence[summary.Column], *, limit: int, after: str | None
) -> list[FoundRun]:
    since = query.filter.since
    try:
        documents = await summary.runs(
            connection,
            entity=query.entity,
            project=query.project,
            run_id=query.run_id,
            # The filter compares the start by the clock of the run, which may be ahead of the broker's.
            since=None if since is None else int((since - _CLOCK_AHEAD_S) * 1_000_000),
            columns=columns,
            limit=limit,
            after=after,
        )
    except (ValueError, OverflowError) as error:
        raise BadParameter("after", "expected the `next` of a previous response") from error
    return [FoundRun(run=item.run, document=item, state=None) for item in documents]


async def _accepted(connection: Connection, query: RunQuery, part: Sequence[FoundRun]) -> list[FoundRun]:
    accepted = [item for item in part if query.filter.accepts(item)]
    if not (query.filter.states or query.order.field == "state"):
        return accepted
    states = await read_states(connection, [item.run for item in accepted])
    with_states = [replace(item, state=states.get(item.run)) for item in accepted]
    return [item for item in with_states if query.filter.accepts_state(item)]


def _columns(query: RunQuery) -> list[summary.Column]:
    needed: list[tuple[summary.Column, bool]] = [
        ("config", bool(query.filter.config) or query.order.field == "config"),
        ("metadata", query.filter.user is not None),
        ("summary", query.order.field == "summary"),
    ]
    return [name for name, is_needed in needed if is_needed]


def _cursor(last: FoundRun, end: int) -> str:
    """Return the cursor after a run of a sorted list: the run, and its place in case that it is no longer listed."""
    return base64.urlsafe_b64encode(run_key(last.run).bytes + end.to_bytes(4, "big")).decode()


def _start(ordered: Sequence[FoundRun], after: str | None) -> int:
    if after is None:
        return 0
    try:
        packed = base64.urlsafe_b64decode(after.encode())
    except ValueError:
        packed = b""
    if len(packed) != _CURSOR_BYTES:
        raise BadParameter("after", "expected the `next` of a previous response in the same order")
    last = packed[:16]
    places = (place + 1 for place, item in enumerate(ordered) if run_key(item.run).bytes == last)
    return next(places, int.from_bytes(packed[16:], "big"))
