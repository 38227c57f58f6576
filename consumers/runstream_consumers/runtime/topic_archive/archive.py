"""Reads messages of the topic archive, chunk by chunk."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import asyncpg
from aiokafka import TopicPartition

from runstream_consumers.runtime.exceptions import ArchiveDamaged
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.connection import connected
from runstream_consumers.runtime.topic_archive import manifest
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage, ChunkDamaged, decode_chunk
from runstream_consumers.runtime.topic_archive.manifest import Chunk
from runstream_consumers.settings import ServerSettings

if TYPE_CHECKING:
    from runstream_consumers.object_store.store import ObjectStore

#: The database has no archive, as that of a consumer that runs outside of its stack.
_NO_TABLES = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


@dataclass(slots=True)
class TopicArchive:
    """The archived messages of all topics; empty if the database has no archive."""

    _settings: ServerSettings
    _opened: ObjectStore | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: ServerSettings) -> AsyncIterator[Self | None]:
        """Provide the archive of a stack, None if there is no object store; connects when it is read."""
        archive = cls(settings)
        try:
            yield archive if settings.s3_endpoint else None
        finally:
            if archive._opened is not None:
                archive._opened.close()

    @property
    def _store(self) -> ObjectStore:
        # Imported when it is used: a consumer that reads no archived message does not need the client.
        from runstream_consumers.object_store.store import ObjectStore  # noqa: PLC0415

        if self._opened is None:
            self._opened = ObjectStore(self._settings)
        return self._opened

    def _connection(self) -> AbstractAsyncContextManager[Connection]:
        return connected(self._settings.postgres, application="topic archive")

    async def starts(self, topics: Iterable[str], numbers: Collection[int]) -> dict[TopicPartition, int]:
        """Return the first archived offset of each partition; those that are not archived are missing."""
        async with self._connection() as connection:
            try:
                return await manifest.starts(connection, topics, numbers)
            except _NO_TABLES:
                return {}

    async def read(self, partition: TopicPartition, offset: int) -> tuple[list[ArchivedMessage], int | None]:
        """Return the messages at or after an offset, up to the end of their chunk, and where that is.

        None if nothing after the offset is archived.

        Raises OSError if a server does not answer, ArchiveDamaged if an object is not what was stored.
        """
        async with self._connection() as connection:
            chunk = await manifest.chunk_at(connection, partition, offset)
        if chunk is None:
            return [], None
        return [one for one in await read_chunk(self._store, chunk) if one.offset >= offset], chunk.stop

    async def offset_at(self, partition: TopicPartition, time: int) -> int | None:
        """Return the first archived offset appended at or after a time (milliseconds since 1970), if there is one."""
        async with self._connection() as connection:
            try:
                chunk = await manifest.chunk_since(connection, partition, time)
            except _NO_TABLES:
                return None
        if chunk is None or chunk.first_time >= time:
            return None if chunk is None else chunk.first
        return next(message.offset for message in await read_chunk(self._store, chunk) if message.timestamp >= time)


async def read_chunk(store: ObjectStore, chunk: Chunk) -> list[ArchivedMessage]:
    """Return the messages of a chunk; raises OSError if the store does not answer, ArchiveDamaged."""
    data = await read_verified(store, chunk)
    try:
        return await asyncio.to_thread(lambda: list(decode_chunk(data)))
    except ChunkDamaged as error:
        raise ArchiveDamaged(f"The object {chunk.key} of the topic archive cannot be read: {error}") from error


async def read_verified(store: ObjectStore, chunk: Chunk) -> bytes:
    """Return the bytes of a chunk, whose SHA-256 is that of the manifest; raises as :func:`read_chunk`."""
    from runstream_consumers.object_store.store import ObjectDamaged, ObjectMissing, StoreUnavailable  # noqa: PLC0415

    try:
        data = await store.read(chunk.key)
    except StoreUnavailable as error:
        raise ConnectionError(str(error)) from error
    except (ObjectMissing, ObjectDamaged) as error:
        raise ArchiveDamaged(f"The object {chunk.key} of the topic archive is missing: restore the bucket") from error
    if hashlib.sha256(data).digest() != chunk.sha256:
        raise ArchiveDamaged(
            f"The object {chunk.key} of the topic archive has other content than was stored: restore it"
        )
    return data
