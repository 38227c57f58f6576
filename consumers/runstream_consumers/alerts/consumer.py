"""The registration of the alerts consumer."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from runstream_consumers.alerts import store
from runstream_consumers.runtime.plugin import Batch, Connection, Context, Declaration, SimplePartition
from runstream_schemas.events import AlertEvent, Kind
from runstream_schemas.topics import Topic


class AlertsConsumer:
    """Stores every alert, and marks repeats within the wait duration of a shown one."""

    name: str = "alerts"
    topics: frozenset[Topic] = frozenset({Topic.ALERT})
    migrations: Traversable = files("runstream_consumers.alerts") / "migrations"
    declaration = Declaration(owned_topics=topics)

    def partition(self, number: int, context: Context) -> AlertsPartition:  # noqa: ARG002
        """Return the work on one partition."""
        return AlertsPartition()


class AlertsPartition(SimplePartition):
    """Stores the alerts of one partition; keeps nothing in memory because alerts are few."""

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Store the alerts of a batch."""
        alerts = [
            (received, event)
            for received in batch.events
            if isinstance(event := received.event, AlertEvent) and event.kind is Kind.DATA
        ]
        if alerts:
            await store.add(connection, batch.partition, alerts)
