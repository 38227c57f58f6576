"""Deletes archived messages from topics: only what the archive has, and after it was read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from runstream_consumers.archiver.chunk_store import ChunkStore
from runstream_consumers.runtime.exceptions import ArchiveDamaged, RuntimeFault
from runstream_consumers.runtime.kafka.client import connected_reader, log_bounds
from runstream_consumers.runtime.options import DEFAULT_OPTIONS
from runstream_consumers.runtime.topic_archive import manifest
from runstream_consumers.runtime.topic_archive.archive import read_verified
from runstream_consumers.runtime.topic_archive.manifest import Chunk
from runstream_consumers.settings import ServerSettings
from runstream_schemas.topics import Topic, topic_name

_TIMEOUT_S = 60.0


class NothingArchived(RuntimeFault):
    """There is no archive, so that nothing may be deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTrim:
    """What is deleted of a partition: the messages from ``first`` up to ``until``."""

    partition: TopicPartition
    first: int
    until: int
    #: Up to where it is archived.
    archived: int
    chunks: Sequence[Chunk] = ()
    #: Why nothing is deleted although there are archived messages that are old enough.
    problem: str = ""

    @property
    def messages(self) -> int:
        """How many messages are deleted."""
        return self.until - self.first


def trim_point(chunks: Sequence[Chunk], first: int, archived: int, before: int) -> int:
    """Return up to which offset a partition may be trimmed that begins at ``first``. Pure.

    The chunks, in order, must have every message from ``first`` up to that offset, all of which were appended before
    a time (milliseconds since 1970).
    """
    until = first
    for chunk in chunks:
        if chunk.first > until or chunk.stop > archived or chunk.last_time >= before:
            break
        until = max(until, chunk.stop)
    return until


async def plan_trim(settings: ServerSettings, archive: ChunkStore, *, before: int) -> list[PartitionTrim]:
    """Return what may be deleted of messages appended before a time, milliseconds since 1970, by partition.

    Raises NothingArchived, and the errors of Kafka and Postgres.
    """
    names = [topic_name(settings.prefix, topic) for topic in Topic]
    archived = await manifest.positions(archive.connection, names)
    if not archived:
        raise NothingArchived(
            "Nothing is archived, so nothing can be deleted from the topics: run the archiver, with "
            "RUNSTREAM_TOPIC_ARCHIVE=true in the environment of `runstream up`, or `runstream archive`"
        )
    async with connected_reader(settings.kafka, DEFAULT_OPTIONS) as kafka:
        starts, _ = await log_bounds(kafka, list(archived), timeout=_TIMEOUT_S)
    plan = []
    for partition, position in archived.items():
        first = starts[partition]
        chunks = await manifest.chunks_between(archive.connection, partition, first, position)
        until = trim_point(chunks, first, position, before)
        own = [chunk for chunk in chunks if chunk.first < until]
        plan.append(PartitionTrim(partition=partition, first=first, until=until, archived=position, chunks=own))
    return plan


async def trim(settings: ServerSettings, archive: ChunkStore, plan: Sequence[PartitionTrim]) -> list[PartitionTrim]:
    """Delete what was planned, and return what was deleted; raises the errors of the servers.

    The objects with the messages of a partition are read first, and their SHA-256 compared. If one is not what was
    stored, nothing of the partition is deleted, and the result has the reason.
    """
    done = [await _verified(archive, one) for one in plan if one.messages]
    wanted = {one.partition: RecordsToDelete(one.until) for one in done if one.messages}
    if wanted:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=int(_TIMEOUT_S * 1000))
        try:
            await admin.start()
            await admin.delete_records(wanted)
        finally:
            await admin.close()
    return done


async def _verified(archive: ChunkStore, one: PartitionTrim) -> PartitionTrim:
    try:
        for chunk in one.chunks:
            await read_verified(archive.store, chunk)
    except ArchiveDamaged as error:
        return PartitionTrim(
            partition=one.partition, first=one.first, until=one.first, archived=one.archived, problem=str(error)
        )
    return one
