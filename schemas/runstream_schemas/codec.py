"""Encode events to messages and decode them (format: docs/contract.md).

:func:`encode` uses the newest schema of the event's topic. :func:`decode` reads all committed versions, and checks
everything: the frame, lengths, numbers, and the end of the message.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro

from runstream_schemas import registry
from runstream_schemas.decoding import COLUMN_TYPES, event_of
from runstream_schemas.encoding import fields_of
from runstream_schemas.events import LogEvent
from runstream_schemas.exceptions import LimitExceeded, MalformedEvent
from runstream_schemas.framing import frame, unframe
from runstream_schemas.limits import DEFAULT_LIMITS, Limits
from runstream_schemas.topics import RunPath, Topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from runstream_schemas.events import ColumnType, Event

#: Blocks that were stored before there was a limit of their weight are read.
_STORED = replace(DEFAULT_LIMITS, block_weight=2**63)
#: The first fields of every schema.
_HEAD = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Head",
        "fields": [
            {"name": "kind", "type": "int"},
            *({"name": name, "type": "string"} for name in ("entity", "project", "run_id")),
        ],
    }
)
#: More than the greatest size of a head within the limits.
_HEAD_BYTES = 2_048


def encode(event: Event) -> bytes:
    """Return the framed message of an event.

    The caller is responsible for the limits. Raises ValueError if the event cannot be represented: a kind that its
    topic does not have, a lone surrogate in a name or a key, a number beyond 64 bits.
    """
    schema = registry.current(event.topic)
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, schema.parsed, fields_of(event))
    return frame(schema.id, buffer.getvalue())


def decode(topic: Topic, message: bytes, limits: Limits = DEFAULT_LIMITS) -> Event:
    """Return the event of a message.

    An event of an unknown kind is returned without its records. Raises MalformedEvent (or its subclasses UnknownSchema
    and LimitExceeded), and no other error, for a message that :func:`encode` cannot have written within the limits.
    Time and memory are proportional to the message.
    """
    if len(message) > limits.message_bytes:
        raise LimitExceeded(f"Message of {len(message)} bytes, limit {limits.message_bytes}")
    identifier, body = unframe(message)
    schema = registry.by_id(identifier)
    if schema.topic is not topic:
        raise MalformedEvent(f"Record of topic {schema.topic.value} on topic {topic.value}")
    try:
        return event_of(topic, _read(schema, body), limits)
    except MalformedEvent:
        raise
    except Exception as error:  # fastavro passes on any error of its reader
        raise MalformedEvent(f"Invalid {topic.value} record: {type(error).__name__}: {error}") from error


def decode_run(message: bytes) -> RunPath:
    """Return the run of a message, without reading more than its head; raises MalformedEvent if it has none.

    The rest of the message need not be valid.
    """
    _, head = unframe(message[:_HEAD_BYTES])
    try:
        fields: Any = fastavro.schemaless_reader(BytesIO(head), _HEAD, None)
    except Exception as error:  # as in decode()
        raise MalformedEvent(f"Invalid head: {type(error).__name__}: {error}") from error
    return RunPath(entity=fields["entity"], project=fields["project"], run_id=fields["run_id"])


def decode_columns(message: bytes, accepts: Callable[[tuple[str, ...], ColumnType], bool]) -> LogEvent:
    """Return the block in a stored message with only those of its columns whose path and type are accepted.

    For messages that :func:`decode` has accepted before: other columns are neither checked nor built. Raises
    MalformedEvent if the message does not hold a block.
    """
    identifier, body = unframe(message)
    fields = _read(registry.by_id(identifier), body)
    fields["columns"] = [
        column for column in fields["columns"] if accepts(tuple(column["path"]), COLUMN_TYPES[column["type"]])
    ]
    event = event_of(Topic.LOG, fields, _STORED)
    if not isinstance(event, LogEvent):
        raise MalformedEvent(f"Expected a block of rows, not {type(event).__name__}")
    return event


def _read(schema: registry.Schema, body: bytes) -> Any:
    buffer = BytesIO(body)
    fields: Any = fastavro.schemaless_reader(buffer, schema.parsed, registry.current(schema.topic).parsed)
    if buffer.tell() != len(body):
        raise MalformedEvent(f"{len(body) - buffer.tell()} bytes after the end of the record")
    return fields
