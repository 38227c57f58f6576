"""Removes from the topic archive and the object store what deleted runs have left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from runstream_consumers.archiver.chunk_store import ChunkStore, run_of
from runstream_consumers.runtime.consuming.deletion import deletes_run
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.topic_archive.archive import read_chunk
from runstream_consumers.runtime.topic_archive.chunk import ArchivedMessage
from runstream_consumers.runtime.topic_archive.manifest import QUERIES, Chunk
from runstream_consumers.settings import ServerSettings
from runstream_schemas.codec import decode
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.topics import Topic, topic_name

#: Versions of artifacts that a deleted run has logged are kept, since others may use them.
_KEPT = frozenset({Topic.ARTIFACT})
_DELETED = "select distinct run from runtime.deleted_run"
#: Runs of a query.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge removes, or would remove."""

    #: Deleted runs with messages in the archive.
    runs: int = 0
    messages: int = 0
    #: Objects that are replaced by smaller ones, and by how many bytes.
    objects: int = 0
    bytes: int = 0


def purge_messages(
    topic: Topic, messages: Sequence[ArchivedMessage], runs: Collection[UUID]
) -> tuple[list[ArchivedMessage], int]:
    """Return messages without the content of those of some runs, and how many these are. Pure.

    An event that deletes a run stays, so that a replay deletes it, too.
    """
    left = [
        message.purged() if run_of(message) in runs and not _is_deletion(topic, message) else message
        for message in messages
    ]
    return left, sum(new is not old for new, old in zip(left, messages, strict=True))


def _is_deletion(topic: Topic, message: ArchivedMessage) -> bool:
    try:
        return deletes_run(decode(topic, message.value or b""))
    except MalformedEvent:
        return False


async def deleted_runs(connection: Connection) -> list[UUID]:
    """Return the keys of the runs whose deletion a consumer has stored."""
    if await connection.fetchval("select to_regclass('runtime.deleted_run')") is None:  # no consumer has run
        return []
    return [row["run"] for row in await connection.fetch(_DELETED)]


async def purge(settings: ServerSettings, archive: ChunkStore, *, dry_run: bool) -> Purged:
    """Remove the messages of deleted runs from the archive, chunk by chunk; return what was removed.

    Interrupted anywhere, each chunk is as it was or as it will be, and the next purge does the rest. Raises
    ArchiveDamaged, ArchiveConflict and the errors of the servers.
    """
    topics = {topic_name(settings.prefix, topic): topic for topic in Topic if topic not in _KEPT}
    found = await deleted_runs(archive.connection)
    runs: set[UUID] = set()
    messages = objects = size = 0
    for start in range(0, len(found), _AT_ONCE):
        own = frozenset(found[start : start + _AT_ONCE])
        for row in await archive.connection.fetch(QUERIES["chunks_of_runs"], list(topics), list(own)):
            chunk = Chunk.of(row)
            left, count = purge_messages(topics[chunk.topic], await read_chunk(archive.store, chunk), own)
            if not count:
                continue
            runs |= own & set(chunk.runs)
            new = chunk if dry_run else await archive.replace(chunk, left)
            messages, objects, size = messages + count, objects + 1, size + chunk.size - new.size
    return Purged(runs=len(runs), messages=messages, objects=objects, bytes=size)
