"""Looks for changes of what is followed: one poll for all streams of the API process, however many there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from runstream_consumers.api.database import Connection, Database
from runstream_consumers.api.problems import EXPECTED
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.topics import RunPath

#: Seconds between two polls.
_EVERY_S = 1.0
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

log = logging.getLogger(__name__)


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
        self._watches: dict[RunPath, set[Watch]] = {}
        self._wanted = asyncio.Event()
        self._is_stopping = False

    @contextmanager
    def watching(self, run: RunPath) -> Iterator[Watch]:
        """Provide a watch of a run until the block ends."""
        watch = Watch(is_stopping=self._is_stopping)
        self._watches.setdefault(run, set()).add(watch)
        self._wanted.set()
        try:
            yield watch
        finally:
            self._watches[run].discard(watch)
            if not self._watches[run]:
                del self._watches[run]

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
                        await self._poll(connection, list(self._watches))
            else:
                self._wanted.clear()
            await asyncio.sleep(self._every_s)

    async def _poll(self, connection: Connection, runs: Sequence[RunPath]) -> None:
        paths = {run_key(run): run for run in runs}
        for row in await connection.fetch(_VERSIONS, list(paths)):
            for watch in self._watches.get(paths[row["run"]], ()):
                watch.note(tuple(row.values()))
