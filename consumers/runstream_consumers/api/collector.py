"""Collections of objects: when they may begin, one at a time, and regularly (docs/adr/0018)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import ClassVar

from aiokafka.errors import KafkaError

from runstream_consumers.api.control_tables import ControlTables, open_control_tables
from runstream_consumers.api.database import Connection
from runstream_consumers.api.kafka.offsets import BrokerOffsets
from runstream_consumers.api.problems import Problem
from runstream_consumers.artifact_decisions.store import close_stale_drafts, held_manifests
from runstream_consumers.artifacts.reader import live_manifests
from runstream_consumers.object_store.store import ObjectStore, StoreUnavailable
from runstream_consumers.runtime.faults import POSTGRES_ERRORS
from runstream_consumers.settings import ServerSettings
from runstream_consumers.stored_objects.collection import QUERIES, Collected, CollectionRefused, collect
from runstream_schemas.topics import Topic, topic_name

log = logging.getLogger(__name__)

#: The consumers whose tables refer to objects, with their topics.
_READERS = {"files": Topic.FILE, "artifacts": Topic.ARTIFACT}
_WAIT_S = 60.0
_POLL_S = 0.5
_CHECK_S = 600.0
#: By which a collection ends without a bug; the next one continues.
EXPECTED = (
    CollectionRefused,
    StoreUnavailable,
    Problem,
    KafkaError,
    *POSTGRES_ERRORS,
    OSError,
)

_BEHIND = """
select wanted.sink from unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) as wanted (sink, topic, partition, stop)
left join runtime.sink_offset as stored using (sink, topic, partition)
where coalesce(stored.next, 0) < stop or exists (
    select from runtime.deferred where deferred.sink = wanted.sink and deferred.partition = wanted.partition
) limit 1
"""
_UNREADABLE = """
select sink || ' has messages in quarantine' from runtime.quarantine where sink = any($1::text[]) and redriven is null
union all
select sink || ' has missed messages that were deleted from the topics' from runtime.loss where sink = any($1::text[])
limit 1
"""


@dataclass(frozen=True, slots=True)
class Collector:
    """Runs collections. Several processes may have one: only one collects at a time."""

    #: An arbitrary number of an advisory lock, held while a collection runs.
    LOCK: ClassVar[int] = 0x52554E43

    settings: ServerSettings
    store: ObjectStore
    control: ControlTables
    brokers: BrokerOffsets

    async def collect(self, *, dry_run: bool = False) -> Collected:
        """Delete the objects that nothing refers to; raises CollectionRefused if that is not certain."""
        async with self.control.connection() as connection:
            if not await connection.fetchval("select pg_try_advisory_lock($1)", self.LOCK):
                raise CollectionRefused("Another collection is running.")
            try:
                await connection.execute("set statement_timeout = '10min'")
                return await self._recorded(connection, dry_run=dry_run)
            finally:
                await connection.execute("select pg_advisory_unlock($1)", self.LOCK)

    async def run(self) -> None:
        """Collect regularly until cancelled; the interval counts for all processes together."""
        while True:
            await asyncio.sleep(min(_CHECK_S, self.settings.gc_interval_s))
            try:
                if await self._is_due():
                    log.warning("collected objects: %s", await self.collect())
            except EXPECTED as error:
                log.warning("no objects are collected: %r", error)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Collect in the background until the block ends; not at all if the interval is 0."""
        task = asyncio.create_task(self.run()) if self.settings.gc_interval_s else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _is_due(self) -> bool:
        async with self.control.connection() as connection:
            age = await connection.fetchval(QUERIES["last"])
        return age is None or age >= self.settings.gc_interval_s

    async def _recorded(self, connection: Connection, *, dry_run: bool) -> Collected:
        """Collect, and record when and with which result."""
        number, began = await connection.fetchrow(QUERIES["began"])
        result: Mapping[str, object] = {"error": "interrupted"}
        try:
            await self._wait_for_readers(connection)
            abandoned = await close_stale_drafts(connection, began - timedelta(seconds=self.settings.draft_kept_s))
            async with connection.transaction(isolation="repeatable_read"):
                manifests = {*await live_manifests(connection, abandoned), *await held_manifests(connection)}
            cutoff = began - timedelta(seconds=self.settings.object_grace_s)
            keys = [key for _, key in manifests]
            found = await collect(connection, self.store, keys, cutoff=cutoff, dry_run=dry_run)
            result = asdict(found) | ({"dry_run": True} if dry_run else {})
        except Exception as error:
            result = {"error": str(error)}
            raise
        finally:
            await connection.execute(QUERIES["ended"], number, json.dumps(result))
        return found

    async def _wait_for_readers(self, connection: Connection) -> None:
        """Wait until the consumers have stored all events that the brokers have now."""
        wanted = []
        names = {sink: topic_name(self.settings.prefix, topic) for sink, topic in _READERS.items()}
        for partition in range(self.settings.partitions):
            spans = await self.brokers.spans(list(names.values()), partition)
            wanted += [(sink, name, partition, spans[name][1]) for sink, name in names.items()]
        arguments = [list(column) for column in zip(*wanted, strict=True)]
        deadline = asyncio.get_running_loop().time() + _WAIT_S
        while (behind := await connection.fetchval(_BEHIND, *arguments)) is not None:
            if asyncio.get_running_loop().time() > deadline:
                raise CollectionRefused(f"The consumer {behind} has not read its topic to the end.")
            await asyncio.sleep(_POLL_S)
        if (problem := await connection.fetchval(_UNREADABLE, list(_READERS))) is not None:
            raise CollectionRefused(f"The consumer {problem}: what these refer to is not known.")


async def collected(settings: ServerSettings, *, dry_run: bool) -> Collected:
    """Collect once, with connections of its own; raises what :data:`EXPECTED` lists, or what Postgres raises."""
    brokers = BrokerOffsets(settings.kafka)
    try:
        async with ObjectStore.opened(settings) as store, open_control_tables(settings.postgres) as control:
            if store is None:
                raise CollectionRefused("No object store is configured: set RUNSTREAM_S3_ENDPOINT.")
            return await Collector(settings, store, control, brokers).collect(dry_run=dry_run)
    finally:
        await brokers.close()
