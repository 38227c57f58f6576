"""All versions of all schemas of the contract, identified by ids that are derived from their content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import to_parsing_canonical_form

from runstream_schemas.exceptions import UnknownSchema
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A committed version of the record type of a topic."""

    topic: Topic
    version: int
    #: First four bytes of the SHA-256 of the parsing canonical form, big-endian, without the sign bit.
    id: int
    #: The text of the ``.avsc`` file.
    text: str
    #: The parsed schema, for fastavro.
    parsed: Any


def schema_id(definition: Any) -> int:
    """Return the id of a schema: 31 bits of the SHA-256 fingerprint of its parsing canonical form (Avro 1.12)."""
    canonical = to_parsing_canonical_form(definition)
    return int.from_bytes(hashlib.sha256(canonical.encode()).digest()[:4], "big") & 0x7FFFFFFF


@cache
def schemas() -> Mapping[int, Schema]:
    """Return all committed schemas, by id."""
    found: dict[int, Schema] = {}
    for topic in Topic:
        folder = files("runstream_schemas") / "avsc" / topic.value
        for file in folder.iterdir():
            if not file.name.endswith(".avsc"):
                continue
            text = file.read_text(encoding="utf-8")
            definition = json.loads(text)
            schema = Schema(
                topic=topic,
                version=int(file.name.removesuffix(".avsc")),
                id=schema_id(definition),
                text=text,
                parsed=fastavro.parse_schema(definition),
            )
            found[schema.id] = schema
    return found


@cache
def current(topic: Topic) -> Schema:
    """Return the newest version of a topic's schema, which is used for writing."""
    return max((schema for schema in schemas().values() if schema.topic is topic), key=lambda schema: schema.version)


def by_id(identifier: int) -> Schema:
    """Return the schema with an id; raises UnknownSchema if there is none."""
    try:
        return schemas()[identifier]
    except KeyError:
        raise UnknownSchema(identifier) from None
