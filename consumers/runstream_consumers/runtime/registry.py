"""Consumers by the name they are registered under or by their file, and what the installed ones declare."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from runstream_consumers.runtime.exceptions import RuntimeFault, UnknownConsumer
from runstream_consumers.runtime.plugin import Consumer, declaration_of
from runstream_consumers.settings import read_settings
from runstream_schemas.topics import Topic

log = logging.getLogger(__name__)

GROUP = "runstream.consumers"


_FOREIGN_SCHEMAS = frozenset({"control", "information_schema", "public", "runtime"})
_MEMBERS = ("name", "topics", "migrations", "partition")


def find_consumer(name: str) -> Consumer:
    """Return the consumer that is registered under a name, or that a Python file (``.py``) defines.

    Raises UnknownConsumer if there is none or it cannot be created.
    """
    if name.endswith(".py"):
        consumer = _check_name(_load_file(Path(name)))
        if any(
            entry.value.startswith("runstream_consumers.") for entry in entry_points(group=GROUP, name=consumer.name)
        ):
            raise UnknownConsumer(
                f"Invalid name of a consumer {consumer.name!r}: a built-in one has it; choose another"
            )
        return consumer
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=GROUP)}))
        raise UnknownConsumer(f"No consumer is registered as {name!r}; registered: {known}")
    return _check_name(_load(next(iter(found))))


def _check_name(consumer: Consumer) -> Consumer:
    """Return the consumer, unless its schema would be one that others use; raises UnknownConsumer."""
    if consumer.name in _FOREIGN_SCHEMAS or consumer.name.startswith("pg_"):
        raise UnknownConsumer(f"Invalid name of a consumer {consumer.name!r}: that schema has another purpose")
    return consumer


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

    Raises SettingsError, which names the invalid or missing settings.
    """
    settings = declaration_of(consumer).settings
    return None if settings is None else read_settings(settings)


def _load(entry: EntryPoint) -> Consumer:
    try:
        found = entry.load()
        consumer: Consumer = found() if isinstance(found, type) or not is_consumer(found) else found
    except (ImportError, AttributeError, TypeError) as error:
        raise UnknownConsumer(f"Consumer {entry.value} could not be created: {error}") from error
    if missing := [name for name in _MEMBERS if not hasattr(consumer, name)]:
        raise UnknownConsumer(f"{entry.value} is not a consumer: missing {', '.join(missing)}")
    return consumer


def is_consumer(value: Any) -> bool:
    """Return whether a value has what a consumer needs; so has its class."""
    return all(hasattr(value, name) for name in _MEMBERS)


def _load_file(path: Path) -> Consumer:
    if not path.is_file():
        raise UnknownConsumer(f"No file {path}: expected a Python file that defines a consumer, or a registered name")
    module = _import_file(path)
    own = [value for value in vars(module).values() if is_consumer(value) and value.__module__ == module.__name__]
    if len(own) != 1:
        names = ", ".join(str(value.name) for value in own) or "none"
        raise UnknownConsumer(f"{path} must define exactly one consumer, with @consumer or as a class; found: {names}")
    consumer: Consumer = own[0]() if isinstance(own[0], type) else own[0]
    return consumer


def _import_file(path: Path) -> ModuleType:
    """Import a file under its name; like a script, it can import its neighbors."""
    sys.path.insert(0, str(path.resolve().parent))
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_consumer"
    if (spec := spec_from_file_location(name, path)) is None or spec.loader is None:
        raise UnknownConsumer(f"Cannot import {path}: expected a Python file")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
