"""Lists of runs: selected and sorted by Postgres, page by page. The conditions are tested on ``summary.listing``."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents.effective_state import WAITED_US, read_states
from runstream_consumers.api.documents.run_documents import FoundRun, read_losses
from runstream_consumers.api.problems import BadParameter
from runstream_consumers.api.run_lists.conditions import Condition, Parameters, comparisons_of, sql_of
from runstream_consumers.api.run_lists.fields import STATE, Source
from runstream_consumers.api.run_lists.order import NEWEST_FIRST, RunOrder
from runstream_consumers.api.run_lists.simple import RunFilter
from runstream_consumers.history.postgres_blocks import branches_of_runs
from runstream_consumers.liveness import failures
from runstream_consumers.liveness import reader as liveness
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.summary import reader as summary
from runstream_schemas.topics import RunPath, canonical_project, is_name

#: Characters of a cursor of a sorted list: a hash of the query, and the number of runs before the page.
_HASH_BYTES, _CURSOR_BYTES = 8, 12
_FURTHEST = 2**31
#: Seconds that a query with a regular expression may take.
_PATIENCE_MS = 5000


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

    @property
    def tests_all_runs(self) -> bool:
        """Whether Postgres reads all runs of the project for it."""
        return bool(comparisons_of(self.filter.condition)) or self.order != NEWEST_FIRST

    def checked(self) -> RunQuery:
        """Return the query with the published name of the project; raises BadParameter for invalid names."""
        for name, value in (("entity", self.entity), ("project", self.project), ("id", self.run_id)):
            if value is not None and not is_name(value):
                raise BadParameter(name, f"{value!r} cannot be part of a run path")
        return self if self.project is None else replace(self, project=canonical_project(self.project))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of runs."""

    runs: list[FoundRun]
    #: None at the end.
    next: str | None
    #: Whether there are runs with more keys than they are found by.
    truncated: bool = False


async def list_runs(connection: Connection, query: RunQuery) -> RunPage:
    """Return a page of runs; raises BadParameter for an invalid cursor, name or regular expression."""
    query = query.checked()
    condition = query.filter.condition
    selection = await _Selection.of(connection, query, condition)
    identity = selection.hash + query.order.text.encode()
    start = 0
    if query.order == NEWEST_FIRST:
        selection.after(query.after)
    else:
        start = _start(query.after, identity)
    rows = await _fetch(connection, selection.page(query.order, query.limit + 1, start), selection.parameters)
    shown = rows[: query.limit]
    following = None
    if len(rows) > query.limit:
        last = shown[-1]
        newest = summary.cursor_after(last["created"], last["run"])
        following = newest if query.order == NEWEST_FIRST else _cursor(identity, start + query.limit)
    paths = [RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"]) for row in shown]
    return RunPage(
        runs=await found_runs(connection, paths),
        next=following,
        truncated=await _is_partial(connection, query, condition),
    )


async def count_runs(connection: Connection, query: RunQuery) -> int:
    """Return how many runs fulfill the conditions of a query; raises BadParameter as :func:`list_runs`."""
    query = query.checked()
    selection = await _Selection.of(connection, query, query.filter.condition)
    rows = await _fetch(connection, selection.count(), selection.parameters)
    return int(rows[0]["count"])


@dataclass(slots=True)
class _Selection:
    """The clauses of a query, and their parameters."""

    tables: str
    clauses: list[str]
    parameters: Parameters

    @classmethod
    async def of(cls, connection: Connection, query: RunQuery, condition: Condition) -> _Selection:
        parameters, clauses = Parameters(), []
        for name, value in (("entity", query.entity), ("project", query.project), ("run_id", query.run_id)):
            if value is not None:
                clauses.append(f"listing.{name} = {parameters.add(value, 'text')}")
        tables = "summary.listing"
        if query.order.field == STATE or any(test.field == STATE for test in comparisons_of(condition)):
            late = await _late(connection, query)
            keys = parameters.add(list(late), "uuid[]")
            states = parameters.add(list(late.values()), "text[]")
            tables += f"""
                left join liveness.run as live on live.run = listing.run
                left join unnest({keys}, {states}) as effective (run, state) on effective.run = listing.run"""
        if comparisons_of(condition):
            clauses.append(sql_of(condition, parameters))
        return cls(tables, clauses, parameters)

    def after(self, cursor: str | None) -> None:
        """Begin after the run of a cursor of a list, newest first."""
        if cursor is not None:
            try:
                created, key = summary.position(cursor)
            except (ValueError, OverflowError) as error:
                raise BadParameter("after", "expected the `next` of a previous response") from error
            place = f"({self.parameters.add(created, 'bigint')}, {self.parameters.add(key, 'uuid')})"
            self.clauses.append(f"(listing.created, listing.run) < {place}")

    def page(self, order: RunOrder, limit: int, start: int) -> str:
        """Return the query of a page."""
        columns = "listing.run, listing.entity, listing.project, listing.run_id, listing.created"
        sorted_by = order.sql(self.parameters)
        return f"select {columns} {self._from} order by {sorted_by} limit {limit} offset {start}"

    def count(self) -> str:
        """Return the query of the number of runs."""
        return f"select count(*) {self._from}"

    @property
    def _from(self) -> str:
        return f"from {self.tables} where {' and '.join(['true', *self.clauses])}"

    @property
    def hash(self) -> bytes:
        """What distinguishes it from other queries, whichever runs are late."""
        given = [value for value in self.parameters.given if not isinstance(value, list)]
        return hashlib.sha256(repr((self.clauses, given)).encode("utf-8", "surrogatepass")).digest()[:_HASH_BYTES]


async def _fetch(connection: Connection, query: str, parameters: Parameters) -> Sequence[asyncpg.Record]:
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(f"set local statement_timeout = {_PATIENCE_MS}")
            found: Sequence[asyncpg.Record] = await connection.fetch(query, *parameters.given)
            return found
    except asyncpg.InvalidRegularExpressionError as error:
        raise BadParameter("filters", f"{error}: expected a regular expression") from error
    except asyncpg.QueryCanceledError as error:
        reason = f"the conditions took longer than {_PATIENCE_MS // 1000} s: expected simpler ones, or one project"
        raise BadParameter("filters", reason) from error


async def _late(connection: Connection, query: RunQuery) -> dict[UUID, str]:
    """Return the effective states of the runs that ended lately and are shown in another state, by their keys."""
    since = time.time_ns() // 1000 - WAITED_US
    ended = await liveness.ended_since(connection, since, entity=query.entity, project=query.project)
    states = await read_states(connection, list(ended))
    return {run_key(run): state.state for run, state in states.items() if state.state != ended[run]}


async def _is_partial(connection: Connection, query: RunQuery, condition: Condition) -> bool:
    sources = {test.field.source for test in comparisons_of(condition)} | {query.order.field.source}
    if not sources & {Source.DESCRIBED, Source.SUMMARY}:
        return False
    return await summary.has_partial(connection, entity=query.entity, project=query.project)


async def found_runs(connection: Connection, paths: Sequence[RunPath]) -> list[FoundRun]:
    """Return runs with everything that lists show of them."""
    stored = await summary.documents(connection, paths)
    documents = {run: stored[run] for run in paths if run in stored}
    runs = list(documents)
    states = await read_states(connection, runs)
    lost = await read_losses(connection, runs)
    failed = await failures.read(connection, runs)
    branches = await branches_of_runs(connection, runs)
    return [
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


def _cursor(identity: bytes, place: int) -> str:
    packed = _hash(identity) + place.to_bytes(_CURSOR_BYTES - _HASH_BYTES, "big")
    return base64.urlsafe_b64encode(packed).decode()


def _start(after: str | None, identity: bytes) -> int:
    """Return the number of runs before the page of a sorted list; raises BadParameter for the cursor of another one."""
    if after is None:
        return 0
    try:
        packed = base64.urlsafe_b64decode(after.encode())
    except ValueError:
        packed = b""
    place = int.from_bytes(packed[_HASH_BYTES:], "big")
    if len(packed) != _CURSOR_BYTES or packed[:_HASH_BYTES] != _hash(identity) or place > _FURTHEST:
        raise BadParameter("after", "expected the `next` of a previous response to the same query in the same order")
    return place


def _hash(identity: bytes) -> bytes:
    return hashlib.sha256(identity).digest()[:_HASH_BYTES]
