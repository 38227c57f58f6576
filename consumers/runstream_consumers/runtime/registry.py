"""Consumers by the name they are registered under."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from runstream_consumers.runtime.exceptions import UnknownConsumer

if TYPE_CHECKING:
    from runstream_consumers.runtime.plugin import Consumer

GROUP = "runstream.consumers"


def find_consumer(name: str) -> Consumer:
    """Return a new consumer of that name; raises UnknownConsumer where none is registered or it cannot be made."""
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=GROUP)}))
        raise UnknownConsumer(f"no consumer is registered as {name!r}; there are: {known}")
    entry = next(iter(found))
    try:
        consumer: Consumer = entry.load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise UnknownConsumer(f"{entry.value} could not be made: {error}") from error
    if missing := [name for name in ("name", "topics", "migrations", "partition") if not hasattr(consumer, name)]:
        raise UnknownConsumer(f"{entry.value} is no consumer: it has no {', '.join(missing)}")
    return consumer
