"""An independent reader of the topics, written from docs/contract.md with fastavro, struct and the schema files.

It shares no code with the client, the codec or the consumers, so it does not repeat their errors.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "runstream_schemas" / "avsc"
_CODES = {"float64": "d", "int64": "q", "bool": "?"}
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(frozen=True)
class Row:
    """A row of the log in a message."""

    seq: int
    order: int
    step: int
    time: int
    values: dict[str, Any]


@dataclass(frozen=True)
class DecodedMessage:
    """The content of a message; only messages of the topic ``log`` have rows."""

    topic: str
    kind: str
    run: str
    writer: str
    role: str
    seq: int
    count: int
    stream: str = ""
    rows: list[Row] = field(default_factory=list)
    fields: Mapping[str, Any] = field(default_factory=dict)


def read(topic: str, message: bytes) -> DecodedMessage:
    """Decode a message; raise ValueError, or another error if the body is invalid."""
    if message[:1] != b"\0":
        raise ValueError("missing frame")
    (identifier,) = struct.unpack(">I", message[1:5])
    schema = _schemas(topic)[identifier]
    body = BytesIO(message[5:])
    fields: Any = fastavro.schemaless_reader(body, schema, None)
    if body.read(1):
        raise ValueError("bytes after the record")
    rows = topic == "log" and fields["kind"] == "data"
    return DecodedMessage(
        topic=topic,
        kind=fields["kind"],
        run=f"{fields['entity']}/{fields['project']}/{fields['run_id']}",
        writer=fields["writer_id"].hex(),
        role=fields["role"],
        seq=fields.get("seq", 0),
        count=fields.get("count", 0),
        stream=fields.get("stream", ""),
        rows=list(_rows(fields)) if rows else [],
        fields=fields,
    )


@cache
def _schemas(topic: str) -> Mapping[int, Any]:
    found = {}
    for path in (SCHEMAS / topic).glob("*.avsc"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        digest = hashlib.sha256(to_parsing_canonical_form(definition).encode()).digest()
        found[struct.unpack(">I", digest[:4])[0] & 0x7FFFFFFF] = fastavro.parse_schema(definition)
    return found


def _rows(fields: Mapping[str, Any]) -> Iterator[Row]:
    count = fields["count"]
    orders = _numbers(fields["orders"], fields["order"], count)
    steps = _numbers(fields["steps"], fields["step"], count)
    times = struct.unpack(f"<{count}q", fields["times"])
    contents: list[dict[str, Any]] = [{} for _ in range(count)]
    for column in fields["columns"]:
        for row, value in _cells(column, count):
            _put(contents[row], column["path"], value)
    for index, values in enumerate(contents):
        yield Row(fields["seq"] + index, orders[index], steps[index], times[index], values)


def _numbers(packed: bytes, first: int, count: int) -> list[int]:
    return list(struct.unpack(f"<{count}q", packed)) if packed else list(range(first, first + count))


def _cells(column: Mapping[str, Any], count: int) -> Iterator[tuple[int, Any]]:
    packed = column["rows"]
    rows = struct.unpack(f"<{len(packed) // 4}I", packed) if packed else tuple(range(count))
    if column["type"] in _CODES:
        values = list(struct.unpack(f"<{len(rows)}{_CODES[column['type']]}", column["values"]))
    elif column["type"] == "null":
        values = [None] * len(rows)
    else:
        values = [json.loads(text, object_hook=untagged) for text in column["texts"]]
    return zip(rows, values, strict=True)


def _put(row: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        row = row.setdefault(name, {})
    row[path[-1]] = value


def untagged(value: dict[str, Any]) -> Any:
    """Return the float of a tagged dict, a dict without the tilde that marks it as a dict, or the dict itself."""
    if set(value) == {"_type", "value"} and isinstance(value["_type"], str):
        name = value["_type"]
        if name == "float" and isinstance(value["value"], str):
            return _NON_FINITE.get(value["value"], value)
        if name.startswith("~") and name.strip("~") == "float" and name.endswith("float"):
            return {**value, "_type": name[1:]}
    return value
