"""The registration of the files consumer."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from runstream_consumers.files import store
from runstream_consumers.files.model import rows_of
from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration, SimplePartition
from runstream_schemas.events import FileEvent
from runstream_schemas.topics import Topic


class FilesConsumer:
    """Stores which files runs have, and where their contents are in the object store."""

    name: str = "files"
    topics: frozenset[Topic] = frozenset({Topic.FILE})
    migrations: Traversable = files("runstream_consumers.files") / "migrations"
    declaration = Declaration(owned_topics=topics)

    def partition(self, number: int, context: Context) -> FilesPartition:  # noqa: ARG002
        """Return the work on one partition."""
        return FilesPartition()


class FilesPartition(SimplePartition):
    """Stores the files of one partition; keeps nothing in memory."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Merge the events of a batch into the table."""
        events = [(received, received.event) for received in batch.events if isinstance(received.event, FileEvent)]
        await store.add(connection, [row for received, event in events for row in rows_of(received, event)])
