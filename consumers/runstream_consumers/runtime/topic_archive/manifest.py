"""The manifest of the topic archive: the tables ``control.topic_*``. One function per statement, no decisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Self
from uuid import UUID

from aiokafka import TopicPartition

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import load_queries
from runstream_consumers.runtime.topic_archive.chunk import ChunkName

#: The columns of a chunk, in their order.
COLUMNS = (
    *("topic", "partition", "first", "stop", "key", "size", "sha256", "messages", "first_time", "last_time", "runs"),
)
QUERIES = load_queries(files("runstream_consumers.runtime.topic_archive") / "queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """An object of the archive."""

    topic: str
    partition: int
    first: int
    stop: int
    key: str
    size: int
    sha256: bytes
    messages: int
    #: Append times, the least and the greatest, milliseconds since 1970.
    first_time: int
    last_time: int
    #: The keys of the runs of its messages, without those that were purged.
    runs: Sequence[UUID]

    @property
    def name(self) -> ChunkName:
        """Where its messages are in Kafka."""
        return ChunkName(self.topic, self.partition, self.first, self.stop)

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the chunk of a row."""
        return cls(**{name: row[name] for name in COLUMNS})


async def starts(connection: Connection, topics: Iterable[str], numbers: Collection[int]) -> dict[TopicPartition, int]:
    """Return the first archived offset of each partition; those that are not archived are missing."""
    rows = await connection.fetch(QUERIES["starts"], list(topics), list(numbers))
    return {TopicPartition(row["topic"], row["partition"]): row["first"] for row in rows}


async def positions(connection: Connection, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """Return up to which offset each partition is archived."""
    rows = await connection.fetch(QUERIES["positions"], list(topics))
    return {TopicPartition(row["topic"], row["partition"]): row["next"] for row in rows}


async def chunk_at(connection: Connection, partition: TopicPartition, offset: int) -> Chunk | None:
    """Return the first chunk with messages at or after an offset."""
    row = await connection.fetchrow(QUERIES["chunk_at"], *partition, offset)
    return None if row is None else Chunk.of(row)


async def chunk_since(connection: Connection, partition: TopicPartition, time: int) -> Chunk | None:
    """Return the first chunk with messages appended at or after a time, milliseconds since 1970."""
    row = await connection.fetchrow(QUERIES["chunk_since"], *partition, time)
    return None if row is None else Chunk.of(row)


async def chunks_between(connection: Connection, partition: TopicPartition, first: int, stop: int) -> list[Chunk]:
    """Return the chunks with messages in a range of offsets, in order."""
    return [Chunk.of(row) for row in await connection.fetch(QUERIES["chunks_between"], *partition, first, stop)]
