"""Deletes the versions of artifacts whose lifetime has ended."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from asyncpg import InterfaceError, InternalClientError, PostgresError, UndefinedTableError

from runstream_consumers.api.artifact_decisions import ArtifactDecisions, command_request
from runstream_consumers.api.database import Database
from runstream_consumers.api.kafka.artifact_events import ArtifactCommand
from runstream_consumers.api.kafka.command_events import Commands
from runstream_consumers.api.problems import Problem
from runstream_consumers.artifact_decisions.model import Collection
from runstream_consumers.artifacts import reader
from runstream_schemas.events import Kind

_LOG = logging.getLogger(__name__)

_INTERVAL_S = 60.0
_LIMIT = 500


@dataclass(frozen=True, slots=True)
class ArtifactExpiry:
    """Deletes expired versions. Several processes may do so at once: each version has one command and one decision."""

    database: Database
    decisions: ArtifactDecisions
    commands: Commands

    async def expire(self, now: int) -> int:
        """Publish the deletion of expired versions, and return how many; ``now`` is microseconds since 1970."""
        async with self.database.connection() as connection:
            found = await reader.expired(connection, now, _LIMIT)
            known = {one: await reader.last_decision(connection, one) for one in {one for one, _ in found}}
        count = 0
        for collection, number in found:
            if (decided := await self._delete(collection, number, known[collection])) is not None:
                # Published, so that the next version of the collection need not wait until it is applied.
                known[collection] = max(known[collection], decided)
                count += 1
        return count

    async def _delete(self, collection: Collection, number: int, known: int) -> int | None:
        """Publish the deletion of a version; return its decision, or None if another one is not published yet."""
        key = hashlib.sha256(f"{collection}:v{number} expired".encode()).digest()[:16]
        decision = await self.decisions.expire(collection, number, known, command_request(key))
        if decision is None:
            return None
        event = ArtifactCommand(key, "expiry").about(collection, number, decision.number, kind=Kind.DELETED)
        await self.commands.publish(event)
        return decision.number

    async def run(self) -> None:
        """Expire versions periodically until cancelled; while a server is unavailable, try again later."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            try:
                if count := await self.expire(time.time_ns() // 1000):
                    _LOG.info("%d versions of artifacts have expired", count)
            except UndefinedTableError:
                continue  # The consumer has not created its tables yet.
            except (InterfaceError, InternalClientError, OSError, PostgresError, Problem) as error:
                _LOG.warning("expired versions of artifacts are not deleted yet: %r", error)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run in the background until the block ends."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
