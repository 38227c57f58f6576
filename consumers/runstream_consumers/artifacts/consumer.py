"""The registration of the artifacts consumer."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from runstream_consumers.artifacts import store
from runstream_consumers.artifacts.model import Facts
from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration, SimplePartition
from runstream_schemas.events import ArtifactEvent
from runstream_schemas.topics import Topic


class ArtifactsConsumer:
    """Stores versions of artifacts, their aliases and links, and the runs that made and used them."""

    name: str = "artifacts"
    topics: frozenset[Topic] = frozenset({Topic.ARTIFACT})
    migrations: Traversable = files("runstream_consumers.artifacts") / "migrations"
    declaration = Declaration(owned_topics=topics)

    def partition(self, number: int, context: Context) -> ArtifactsPartition:  # noqa: ARG002
        """Return the work on one partition."""
        return ArtifactsPartition()


class ArtifactsPartition(SimplePartition):
    """Stores the events of one partition; keeps nothing in memory, since other partitions change the same rows."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Store what the events of a batch say."""
        facts = Facts()
        for received in batch.events:
            if isinstance(received.event, ArtifactEvent):
                facts.add(received.event, received.append_time)
        await store.save(connection, facts)
