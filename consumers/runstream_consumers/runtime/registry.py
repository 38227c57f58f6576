"""Consumers by the name they are registered under, and what the installed ones declare."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from runstream_consumers.runtime.exceptions import RuntimeFault, UnknownConsumer
from runstream_consumers.runtime.plugin import Consumer, declaration_of
from runstream_schemas.topics import Topic

log = logging.getLogger(__name__)

GROUP = "runstream.consumers"


def find_consumer(name: str) -> Consumer:
    """Return a new consumer of that name; raises UnknownConsumer if none is registered or it cannot be created."""
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=GROUP)}))
        raise UnknownConsumer(f"No consumer is registered as {name!r}; registered: {known}")
    return _load(next(iter(found)))


@cache
def installed_consumers() -> tuple[Consumer, ...]:
    """Return a consumer of each registered class, by name; one that cannot be created is logged and left out."""
    found: dict[str, Consumer] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            consumer = _load(entry)
        except UnknownConsumer as error:
            log.error("consumer %s is left out: %s", entry.name, error)  # noqa: TRY400 — the message has the cause
        else:
            found.setdefault(consumer.name, consumer)
    return tuple(found.values())


@cache
def topic_owners() -> Mapping[Topic, str]:
    """Return the consumer that accounts for the delivery of each topic; raises RuntimeFault if two do."""
    owners: dict[Topic, str] = {}
    for consumer in installed_consumers():
        for topic in declaration_of(consumer).owned_topics:
            if other := owners.get(topic):
                raise RuntimeFault(f"Both {other} and {consumer.name} declare topic {topic.value} in owned_topics")
            owners[topic] = consumer.name
    return {topic: owners[topic] for topic in Topic if topic in owners}


@cache
def resume_readers() -> Mapping[str, frozenset[Topic]]:
    """Return the topics that each consumer must have read to their end before a run is resumed."""
    declared = {consumer.name: declaration_of(consumer).resume_topics for consumer in installed_consumers()}
    return {name: topics for name, topics in declared.items() if topics}


def load_settings(consumer: Consumer) -> Any:
    """Return the consumer's own settings, read from the environment; None if it declares none.

    Raises pydantic's ValidationError, which names the invalid or missing settings.
    """
    settings = declaration_of(consumer).settings
    return None if settings is None else settings()


def _load(entry: EntryPoint) -> Consumer:
    try:
        consumer: Consumer = entry.load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise UnknownConsumer(f"Consumer {entry.value} could not be created: {error}") from error
    if missing := [name for name in ("name", "topics", "migrations", "partition") if not hasattr(consumer, name)]:
        raise UnknownConsumer(f"{entry.value} is not a consumer: missing {', '.join(missing)}")
    return consumer
