"""Adds, replaces and deletes chunks of the topic archive, so that a kill anywhere leaves it whole.

An object is recorded before it is written, and belongs to the archive with the transaction that adds its chunk and
moves the position. What was recorded and is not used is deleted later.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from runstream_consumers.object_store.store import ObjectStore, StoreUnavailable
from runstream_consumers.runtime.exceptions import RuntimeFault
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage, ChunkName, encode_chunk
from runstream_consumers.runtime.topic_archive.manifest import COLUMNS, QUERIES, Chunk
from runstream_schemas.codec import decode_run
from runstream_schemas.exceptions import MalformedEvent


class ArchiveConflict(RuntimeFault):
    """Another process has changed the archive meanwhile; nothing was stored."""


@dataclass(frozen=True, slots=True)
class ChunkStore:
    """Writes over one connection, which is used by one task."""

    connection: Connection
    store: ObjectStore

    async def add(self, name: ChunkName, messages: Sequence[ArchivedMessage]) -> Chunk:
        """Archive the messages of a range of offsets that follows those before it, at least one.

        Raises ArchiveConflict and the errors of the servers.
        """
        topic, partition = name.topic, name.partition
        chunk = await self._write(name, messages)
        async with self.connection.transaction():
            status = await self.connection.execute(QUERIES["move_position"], topic, partition, chunk.first, chunk.stop)
            if status != "UPDATE 1":
                raise ArchiveConflict(f"{topic}[{partition}] is not archived up to {chunk.first}")
            await self.connection.execute(QUERIES["add_chunk"], *(getattr(chunk, column) for column in COLUMNS))
            await self._settle(chunk.key)
        return chunk

    async def replace(self, old: Chunk, messages: Sequence[ArchivedMessage]) -> Chunk:
        """Replace the messages of a chunk by others at the same offsets; raises as :meth:`add`."""
        new = await self._write(old.name, messages)
        if new.key == old.key:
            return new
        async with self.connection.transaction():
            status = await self.connection.execute(
                QUERIES["replace_chunk"], old.key, old.sha256, new.key, new.size, new.sha256, new.runs
            )
            if status != "UPDATE 1":
                raise ArchiveConflict(f"{old.key} was replaced by another process")
            await self._settle(new.key)
            await self.connection.execute(QUERIES["announce_object"], old.key)
        return new

    async def delete_unused(self, grace_s: float) -> int:
        """Delete objects that were recorded longer ago and belong to no chunk; return how many."""
        count = 0
        while True:
            async with self.connection.transaction():
                # The rows are locked: a process that is about to add one of the objects waits, and then fails.
                rows = await self.connection.fetch(QUERIES["old_objects"], grace_s)
                if not rows:
                    return count
                if unused := [row["key"] for row in rows if not row["used"]]:
                    await self.store.delete(unused)
                await self.connection.execute(QUERIES["settle_objects"], [row["key"] for row in rows])
                count += len(unused)

    async def _write(self, name: ChunkName, messages: Sequence[ArchivedMessage]) -> Chunk:
        data = await asyncio.to_thread(encode_chunk, messages)
        sha256 = hashlib.sha256(data).digest()
        times = [message.timestamp for message in messages]
        chunk = Chunk(
            topic=name.topic,
            partition=name.partition,
            first=name.first,
            stop=name.stop,
            key=name.key(sha256),
            size=len(data),
            sha256=sha256,
            messages=len(messages),
            first_time=min(times),
            last_time=max(times),
            runs=runs_of(messages),
        )
        await self.connection.execute(QUERIES["announce_object"], chunk.key)
        await self.store.write(chunk.key, data)
        stored = await self.store.stat(chunk.key)
        if stored is None or stored.size != len(data):
            raise StoreUnavailable(f"The object store does not have the object {chunk.key} that it accepted")
        return chunk

    async def _settle(self, key: str) -> None:
        """Note that an object belongs to a chunk; raises ArchiveConflict if it was deleted as one that does not."""
        if await self.connection.execute(QUERIES["settle_object"], key) != "DELETE 1":
            raise ArchiveConflict(f"{key} was deleted before it was used")


def runs_of(messages: Sequence[ArchivedMessage]) -> list[UUID]:
    """Return the keys of the runs of messages; a message without a valid head, or a tick, has none."""
    found: set[UUID] = set()
    for message in messages:
        if (run := run_of(message)) is not None:
            found.add(run)
    return sorted(found)


def run_of(message: ArchivedMessage) -> UUID | None:
    """Return the key of the run of a message; None if it has none."""
    if message.value is None:
        return None
    try:
        run = decode_run(message.value)
    except MalformedEvent:
        return None
    return run_key(run) if run.run_id else None
