"""The process: compacts what is due until it is stopped. Of several processes, one works and the others wait."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.manifest import QUERIES, PartConflict
from runstream_consumers.compactor.orphans import delete_orphans, find_orphans
from runstream_consumers.compactor.plan import HotRun, Thresholds
from runstream_consumers.compactor.settings import CompactorSettings
from runstream_consumers.history.consumer import HistoryConsumer
from runstream_consumers.history.store import STREAM_NUMBERS
from runstream_consumers.object_store.store import ObjectDamaged, ObjectMissing, ObjectStore, StoreUnavailable
from runstream_consumers.runtime.faults import CLIENT_ERRORS
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.postgres.process_lock import ProcessLock, hold
from runstream_consumers.runtime.stopping import until_stopped
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

log = logging.getLogger(__name__)

#: The streams that are archived; console lines stay in Postgres, since they are read by their arrival.
_STREAMS = {STREAM_NUMBERS[stream]: stream for stream in (Stream.HISTORY, Stream.SYSTEM)}
#: Of a part that is joined with others, everything is read once.
_CACHE = 8 * 1024 * 1024
_RETRY_S = 5.0
#: A run that cannot be compacted is left alone for this long.
_SKIP_S = 60.0
#: Objects that no table knows are looked for this often, and deleted from this age on.
_SEARCH_S = 86_400.0
_UNAVAILABLE = (StoreUnavailable, asyncpg.PostgresConnectionError, *CLIENT_ERRORS, OSError)
_OF_ONE_RUN = (PartConflict, ObjectMissing, ObjectDamaged, asyncpg.PostgresError)


@dataclass(slots=True)
class Compactor:
    """Compacts runs over one connection and one store."""

    settings: CompactorSettings
    connection: Connection
    store: ObjectStore
    archive: Archive
    _skipped: dict[tuple[UUID, int], float] = field(default_factory=dict)
    _searched: float = float("-inf")

    async def run(self) -> None:
        """Compact until cancelled; raises the errors of the store and of Postgres."""
        while True:
            began = time.monotonic()
            if not await self.run_once():
                # The search reads the table of blocks: it takes a small part of the time.
                await asyncio.sleep(max(self.settings.compact_interval_s, 10 * (time.monotonic() - began)))

    async def run_once(self) -> int:
        """Compact all runs that are due once, and delete orphans; return how many rows were archived."""
        await self._clean()
        thresholds = Thresholds(
            rows=self.settings.compact_rows, bytes=self.settings.compact_bytes, idle_s=self.settings.compact_idle_s
        )
        found = await self.connection.fetch(QUERIES["hot_runs"], list(_STREAMS))
        now = time.time()
        rows = 0
        for hot in thresholds.due([HotRun(**row) for row in found], now):
            if self._skipped.get((hot.run, hot.stream), 0.0) <= time.monotonic():
                rows += await self._compact(hot, is_final=thresholds.is_idle(hot, now))
        return rows

    async def _compact(self, hot: HotRun, *, is_final: bool) -> int:
        # Imports pyarrow, which takes memory that a compactor without work does not need.
        from runstream_consumers.compactor.compaction import Compaction  # noqa: PLC0415

        compaction = Compaction(self.connection, self.store, self.archive)
        path = await self.connection.fetchrow(QUERIES["run_path"], hot.run)
        if path is None:  # it was deleted
            return 0
        run, stream = RunPath(**path), _STREAMS[hot.stream]
        try:
            rows = await compaction.archive_blocks(run, stream)
            while await compaction.join_parts(run, stream, is_final=is_final):
                pass
        except _UNAVAILABLE:
            raise
        except _OF_ONE_RUN as error:
            log.warning("run %s is not compacted: %r", run, error)
            rows = 0
        except Exception:
            log.exception("run %s is not compacted", run)
            rows = 0
        if rows:
            log.info("archived %d rows of the stream %s of %s", rows, stream.value, run)
        else:
            self._skipped[hot.run, hot.stream] = time.monotonic() + _SKIP_S
        return rows

    async def _clean(self) -> None:
        if time.monotonic() - self._searched > _SEARCH_S:
            await find_orphans(self.connection, self.store, older_than_s=_SEARCH_S)
            self._searched = time.monotonic()
        if count := await delete_orphans(self.connection, self.store, self.settings.compact_grace_s):
            log.info("deleted %d objects of the archive that nothing refers to", count)


async def compact(settings: CompactorSettings, *, stop: asyncio.Event) -> None:
    """Compact until ``stop`` is set; waits for servers that are unavailable."""
    await until_stopped(_work(settings), stop)


@asynccontextmanager
async def working(settings: CompactorSettings) -> AsyncIterator[Compactor]:
    """Provide the compactor once no other process works; raises the errors of Postgres."""
    async with connected(settings.postgres, application="compactor") as connection:
        await migrate_all(connection, HistoryConsumer())
        await hold(connection, ProcessLock.COMPACTOR)
        async with ObjectStore.opened(settings) as store:
            if store is None:
                raise StoreUnavailable("No object store is configured: set RUNSTREAM_S3_ENDPOINT and its key")
            with Archive.opened(store, _CACHE) as archive:
                yield Compactor(settings, connection, store, archive)


async def _work(settings: CompactorSettings) -> None:
    while True:
        try:
            async with working(settings) as compactor:
                await compactor.run()
        except (*_UNAVAILABLE, asyncpg.PostgresError) as error:  # also during a restart or a rebuild
            log.warning("compaction pauses: %r", error)
        await asyncio.sleep(_RETRY_S)
