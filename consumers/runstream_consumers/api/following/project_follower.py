"""Follows a project: the documents of runs that appear or change, as lists have them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from uuid import UUID

from runstream_consumers.api.database import Connection
from runstream_consumers.api.documents import run_documents as documents
from runstream_consumers.api.documents.run_documents import FoundRun
from runstream_consumers.api.following.changed_runs import (
    FIRST_RUN,
    ChangedRun,
    Interval,
    ProjectPath,
    changed_runs,
    present,
)
from runstream_consumers.api.following.cursors import ProjectCursor, digest
from runstream_consumers.api.following.messages import Message
from runstream_consumers.api.run_lists.listing import found_runs
from runstream_schemas import values
from runstream_schemas.topics import RunPath

#: Runs of one event, and runs of which it is remembered what was sent.
_RUNS, _REMEMBERED = 50, 1000


class ProjectFollower:
    """What a client was sent of a project, and what it is to be sent. It never ends."""

    last: Message | None = None
    look_again_s: float | None = None

    def __init__(
        self,
        reading: Callable[[], AbstractAsyncContextManager[Connection]],
        project: ProjectPath,
        cursor: ProjectCursor | None,
        *,
        url: str,
    ) -> None:
        self._reading = reading
        self._project = project
        self._cursor = cursor
        self._url = url
        #: By run, so that a change that shows in nothing is not sent.
        self._sent: dict[str, str] = {}

    @staticmethod
    def query(project: ProjectPath) -> str:
        """Return what distinguishes a project from others in cursors."""
        return digest("project", *project)

    async def unsent(self) -> AsyncIterator[Message]:
        """Yield the runs that have changed up to now, a part at a time."""
        is_first = self._cursor is None
        is_complete = False
        while not is_complete:
            runs, cursor, is_complete = await self._read()
            self._cursor = cursor
            if (shown := self._new(runs)) or is_first:
                is_first = False
                yield Message("runs", f'{{"runs": [{",".join(shown)}]}}', cursor.text(self.query(self._project)))

    async def _read(self) -> tuple[list[FoundRun], ProjectCursor, bool]:
        """Return runs that have changed, the cursor after them, and whether there are no more."""
        async with self._reading() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            now = await present(connection)
            interval, after = self._next(now)
            changed = await changed_runs(connection, self._project, interval, after=after, limit=_RUNS + 1)
            paths = {RunPath(**self._project._asdict(), run_id=one.run_id): one for one in changed[:_RUNS]}
            found = [one for one in await found_runs(connection, list(paths)) if _shows(one, paths[one.run])]
        if len(changed) > _RUNS:
            return found, ProjectCursor(interval=interval, after=changed[_RUNS - 1].run), False
        return found, ProjectCursor(interval=interval.rest), True

    def _next(self, now: Interval) -> tuple[Interval, UUID]:
        """Return the interval to read, and the run after which to begin."""
        if self._cursor is None:
            return replace(now, first=now.end), FIRST_RUN
        before = self._cursor.interval
        if before.tables != now.tables or before.end > now.end:  # rebuilt, or another database
            return now, FIRST_RUN
        if self._cursor.after != FIRST_RUN:
            return replace(before, following=now.following), self._cursor.after
        return replace(now, first=before.end, since=before.until), FIRST_RUN

    def _new(self, runs: list[FoundRun]) -> list[str]:
        """Return the documents of those runs that differ from what was sent of them last."""
        shown = []
        for run in runs:
            text = values.dump(documents.listed_document(run, self._url).model_dump(by_alias=True))
            if self._sent.pop(run.run.run_id, None) != (mark := digest(text)):
                shown.append(text)
            self._sent[run.run.run_id] = mark
        while len(self._sent) > _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return shown


def _shows(found: FoundRun, changed: ChangedRun) -> bool:
    """Return whether readers see the change of a run: what arrives after the end matters once all has arrived."""
    qualifiers = () if found.state is None else found.state.qualifiers
    return (
        changed.is_written
        or (changed.has_arrived and "finishing" not in qualifiers)
        or (changed.is_overdue and "incomplete" in qualifiers)
    )
