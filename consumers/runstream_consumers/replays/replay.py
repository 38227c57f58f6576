"""A replay from its beginning, or from where an earlier one was stopped, to the swap of the tables."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka import TopicPartition

from runstream_consumers.replays.building import (
    QUERIES,
    Building,
    Positions,
    Replayed,
    build_version,
    discard,
    positions,
    replay_name,
)
from runstream_consumers.replays.swap import swap
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.options import DEFAULT_OPTIONS, Options
from runstream_consumers.runtime.plugin import Connection, Consumer, declaration_of
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.postgres.store import QUERIES as RUNTIME_QUERIES
from runstream_consumers.runtime.postgres.store import SinkStore
from runstream_consumers.runtime.start_position import is_beginning, parse_start, start_offsets
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import topic_name

log = logging.getLogger(__name__)

#: So many messages behind the consumer, a replay asks it to wait for the rest.
_CLOSE = 200
#: How long the swap waits for readers and for a batch of the consumer, how often it tries, and the pause in between.
_LOCK_S, _ATTEMPTS, _PAUSE_S = 10, 30, 2.0
_SECONDS = 600


class ReplayRefused(RuntimeFault):
    """The replay cannot be made, or is being made by another process; nothing was changed."""


@dataclass(slots=True, kw_only=True)
class Replay:
    """Builds the tables of a consumer, and swaps them. It is resumed by another one of the same consumer."""

    consumer: Consumer
    settings: ServerSettings
    #: Called with how many messages are applied, and how many the consumer has applied.
    report: Callable[[int, int], None]
    options: Options = DEFAULT_OPTIONS
    _applied: int = 0
    _total: int = 0

    async def run(self, *, start: str | None = None, restart: bool = False, swaps: bool = True) -> int:
        """Build the tables up to where the consumer is, and swap them unless told not to; return how many messages.

        The consumer goes on until the swap, for which it waits a moment. Until then a kill or an error leaves its
        tables as they are; what was built stays and is resumed, unless ``restart`` is set or the consumer's code has
        changed. Raises ReplayRefused, the errors of the servers and of the consumer.
        """
        async with self._locked() as connection:
            building = Building(Replayed(self.consumer), self.settings, self.options, self._advance)
            await self._begin(connection, building, start, restart=restart)
            while await self._behind(connection) > _CLOSE:
                await building.run(await self._targets(connection))
            await self._finish(connection, building, swaps=swaps)
        return self._applied

    def _advance(self, count: int) -> None:
        self._applied += count
        self.report(min(self._applied, self._total), self._total)

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[Connection]:
        """Provide a connection that holds the lock of replays of the consumer."""
        name = self.consumer.name
        async with connected(self.settings.postgres, application=f"{name} replay") as connection:
            lock = "select pg_try_advisory_lock(hashtextextended('runstream replay ' || $1, 0))"
            if not await connection.fetchval(lock, name):
                raise ReplayRefused(f"Another process replays {name}: wait for it, or stop it")
            yield connection

    async def _begin(self, connection: Connection, building: Building, start: str | None, *, restart: bool) -> None:
        name, version = self.consumer.name, build_version(self.consumer)
        await migrate_all(connection, self.consumer)
        if not await positions(connection, name):
            raise ReplayRefused(
                f"{name} has not stored anything yet: start it, and it reads the archive and the topics from the "
                "beginning"
            )
        known = await connection.fetchval(QUERIES["known_replay"], name)
        if restart or known != version:
            await discard(connection, name)
        await connection.execute(QUERIES["add_replay"], name, version)
        await building.prepare(connection)
        if not await positions(connection, replay_name(name)):
            await self._store_start(connection, start)
        elif start is not None:
            raise ReplayRefused(f"A replay of {name} has begun elsewhere: add --restart to begin again at {start!r}")
        self._total = await self._behind(connection)

    async def _store_start(self, connection: Connection, start: str | None) -> None:
        """Store where the tables begin, for all partitions at once."""
        declared = declaration_of(self.consumer).start
        if start is None and not is_beginning(declared):
            raise ReplayRefused(
                f"{self.consumer.name} begins at {declared!r}: choose where the replay begins with --from start or "
                "--from TIME"
            )
        names = [topic_name(self.settings.prefix, topic) for topic in self.consumer.topics]
        partitions = [TopicPartition(name, number) for name in names for number in range(self.settings.partitions)]
        offsets = await start_offsets(self.settings, partitions, parse_start(start or declared), self.options)
        async with connection.transaction():
            for number in range(self.settings.partitions):
                store = SinkStore(sink=replay_name(self.consumer.name), partition=number, topics=names)
                await store.make_offsets(connection, {name: offsets[TopicPartition(name, number)] for name in names})

    async def _targets(self, connection: Connection) -> Positions:
        """Return the partitions in which the consumer is ahead, and where.

        A replay never goes further than the consumer, so that it requests nothing new.
        """
        own = await positions(connection, replay_name(self.consumer.name))
        live = await positions(connection, self.consumer.name)
        return {one: live[one] for one, offset in own.items() if offset < live.get(one, 0)}

    async def _behind(self, connection: Connection) -> int:
        own = await positions(connection, replay_name(self.consumer.name))
        targets = await self._targets(connection)
        return sum(target - own[partition] for partition, target in targets.items())

    async def _finish(self, connection: Connection, building: Building, *, swaps: bool) -> None:
        """Apply the rest while the consumer waits, and swap."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with connection.transaction():
                    await self._wait_for_consumer(connection)
                    await building.run(await self._targets(connection))
                    if swaps:
                        await swap(connection, self.consumer)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                if attempt == _ATTEMPTS:
                    raise
                log.info("the tables of %s are being read; waiting", self.consumer.name)
                await asyncio.sleep(_PAUSE_S)
                await building.run(await self._targets(connection))
            else:
                return

    async def _wait_for_consumer(self, connection: Connection) -> None:
        await connection.execute(
            f"set local lock_timeout = '{_LOCK_S}s'; set local statement_timeout = '{_SECONDS}s';"
            f" set local idle_in_transaction_session_timeout = '{_SECONDS}s'"
        )
        await connection.execute(RUNTIME_QUERIES["lock_all_offsets"], self.consumer.name)
