"""The process: archives what is due until it is stopped. Of several processes, one works and the others wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runstream_consumers.archiver.archiving import Archiver
from runstream_consumers.archiver.chunk_store import ArchiveConflict, ChunkStore
from runstream_consumers.archiver.settings import ArchiverSettings
from runstream_consumers.control import schema
from runstream_consumers.object_store.store import ObjectStore, StoreUnavailable
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.faults import is_infrastructure_error
from runstream_consumers.runtime.kafka.client import connected_reader
from runstream_consumers.runtime.options import DEFAULT_OPTIONS
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.process_lock import ProcessLock, hold
from runstream_consumers.runtime.stopping import until_stopped
from runstream_consumers.settings import ServerSettings

log = logging.getLogger(__name__)

_RETRY_S = 5.0
#: Of a command while the archiver runs, which may overtake it once in a partition.
_ATTEMPTS = 5


async def archive(settings: ArchiverSettings, *, stop: asyncio.Event) -> None:
    """Archive until ``stop`` is set; waits for servers that are unavailable. Raises RuntimeFault."""
    await until_stopped(_work(settings), stop)


async def archive_once(settings: ArchiverSettings) -> int:
    """Archive all messages that the topics have now; return how many this process archived.

    Another process may work at the same time. Raises the errors of the servers.
    """
    for _ in range(_ATTEMPTS):
        async with writable(settings) as chunks, connected_reader(settings.kafka, DEFAULT_OPTIONS) as kafka:
            with contextlib.suppress(ArchiveConflict):
                return await Archiver(settings, chunks, kafka).run_once(now=float("inf"))
    raise ArchiveConflict("Another process archives the same messages")


@asynccontextmanager
async def writable(settings: ServerSettings) -> AsyncIterator[ChunkStore]:
    """Provide the archive for changes; raises RuntimeFault without an object store, and the errors of Postgres."""
    async with (
        ObjectStore.opened(settings) as store,
        connected(settings.postgres, application="archiver") as connection,
    ):
        if store is None:
            raise RuntimeFault("No object store is configured: set RUNSTREAM_S3_ENDPOINT and its key")
        await schema.prepare(connection)
        yield ChunkStore(connection, store)


@asynccontextmanager
async def _working(settings: ArchiverSettings) -> AsyncIterator[Archiver]:
    """Provide the archiver once no other process works; raises the errors of Postgres and Kafka."""
    async with writable(settings) as chunks, connected_reader(settings.kafka, DEFAULT_OPTIONS) as kafka:
        await hold(chunks.connection, ProcessLock.ARCHIVER)
        yield Archiver(settings, chunks, kafka)


async def _work(settings: ArchiverSettings) -> None:
    while True:
        try:
            async with _working(settings) as archiver:
                while True:
                    await archiver.run_once()
                    await asyncio.sleep(settings.archive_interval_s)
        except Exception as error:
            if not (is_infrastructure_error(error) or isinstance(error, (StoreUnavailable, ArchiveConflict))):
                raise
            log.warning("archiving pauses: %r", error)
        await asyncio.sleep(_RETRY_S)
