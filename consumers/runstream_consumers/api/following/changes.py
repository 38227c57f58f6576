"""Looks for changes of what is followed: one poll for all streams of the API process, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from runstream_consumers.api.database import Connection, Database
from runstream_consumers.api.following.changed_runs import Interval, ProjectPath, changed_runs, present
from runstream_consumers.api.problems import EXPECTED
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.topics import RunPath

#: Seconds between two polls.
_EVERY_S = 1.0
#: A project is looked at no more often than takes this part of the time.
_SHARE = 0.05
#: What differs whenever something of a run that followers get was stored. Rows are counted and not looked for, since
#: the compactor moves them. xmin is the number of the transaction that wrote a row.
_VERSIONS = """
select run,
    (select coalesce(sum(rows), 0)::bigint from history.writer where writer.run = given.run) as rows,
    (select xmin::text from summary.run where run.run = given.run) as summary,
    (select xmin::text from liveness.run where run.run = given.run) as state,
    (select count(*) from runtime.quarantine where quarantine.run = given.run and redriven is null) as waiting,
    exists (select from runtime.deleted_run where deleted_run.run = given.run) as deleted
from unnest($1::uuid[]) as given (run)
"""

#: What can be followed.
Followed = RunPath | ProjectPath


@dataclass(slots=True, eq=False)
class Watch:
    """One stream's view of the changes of what it follows."""

    is_stopping: bool = False
    _version: Any = None
    _event: asyncio.Event = field(default_factory=asyncio.Event)

    async def changed(self, within_s: float) -> bool:
        """Wait until something changes or the API stops; return whether it did in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._event.wait()
        found = self._event.is_set()
        self._event.clear()
        return found

    def note(self, version: Any) -> None:
        """Note the present version of what is followed."""
        if version != self._version:
            self._version = version
            self._event.set()

    def stop(self) -> None:
        """Note that the API stops."""
        self.is_stopping = True
        self._event.set()


class Changes:
    """The changes of everything that is followed."""

    def __init__(self, database: Database, *, every_s: float = _EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._watches: dict[Followed, set[Watch]] = {}
        #: Up to where each project was looked at, how often it had changed, and when it is looked at next.
        self._seen: dict[ProjectPath, tuple[Interval, int, float]] = {}
        self._wanted = asyncio.Event()
        self._is_stopping = False

    @contextmanager
    def watching(self, followed: Followed) -> Iterator[Watch]:
        """Provide a watch until the block ends."""
        watch = Watch(is_stopping=self._is_stopping)
        self._watches.setdefault(followed, set()).add(watch)
        self._wanted.set()
        try:
            yield watch
        finally:
            self._watches[followed].discard(watch)
            if not self._watches[followed]:
                del self._watches[followed]

    def stop(self) -> None:
        """End all streams, so that the API can stop."""
        self._is_stopping = True
        for watches in self._watches.values():
            for watch in watches:
                watch.stop()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll until the block ends, while anything is followed."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            if self._watches:
                # Streams read by themselves from time to time, and report why they cannot.
                with suppress(*EXPECTED):
                    async with self._database.connection() as connection:
                        await self._poll(connection)
            else:
                self._wanted.clear()
            await asyncio.sleep(self._every_s)

    async def _poll(self, connection: Connection) -> None:
        runs = {run_key(one): one for one in self._watches if isinstance(one, RunPath)}
        if runs:
            for row in await connection.fetch(_VERSIONS, list(runs)):
                self._note(runs[row["run"]], tuple(row.values()))
        projects = [one for one in self._watches if isinstance(one, ProjectPath)]
        self._seen = {project: seen for project, seen in self._seen.items() if project in projects}
        for project in projects:
            if project not in self._seen or _now() >= self._seen[project][2]:
                await self._look(connection, project)

    async def _look(self, connection: Connection, project: ProjectPath) -> None:
        begin = _now()
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            now = await present(connection)
            before, changes, _ = self._seen.get(project, (now, 0, 0))
            since = replace(now, first=before.end, since=before.until)
            is_changed = before.tables != now.tables or await changed_runs(connection, project, since, limit=1)
        changes += bool(is_changed)
        self._seen[project] = (now, changes, _now() + (_now() - begin) / _SHARE)
        self._note(project, changes)

    def _note(self, followed: Followed, version: Any) -> None:
        for watch in self._watches.get(followed, ()):
            watch.note(version)


def _now() -> float:
    return asyncio.get_running_loop().time()
