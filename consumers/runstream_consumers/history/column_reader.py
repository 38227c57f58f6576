"""Read some columns of stored blocks without decoding the others.

A block of 5,000 columns has 5,000 times as many fields as a chart needs. fastavro builds all of them before they can be
discarded; here the bytes of unwanted columns are skipped, and a block is read no further than the last place at which
the name of a wanted column occurs.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro

from runstream_schemas import registry
from runstream_schemas.decoding import event_of
from runstream_schemas.events import ColumnType, LogEvent
from runstream_schemas.exceptions import MalformedEvent
from runstream_schemas.framing import unframe
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.topics import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: The fields of a column, in the order of their bytes, in all versions of the schema.
_FIELDS = ["path", "type", "rows", "values", "texts"]
#: Lengths below this have one byte; a length is stored doubled.
_ONE_BYTE = 0x80
#: One item in an array, and a path that consists of one short name.
_ONE_ITEM = 2


class ColumnReader:
    """Reads those columns of blocks whose path and type are accepted; remembers its decisions from block to block.

    For messages that :func:`runstream_schemas.codec.decode` has accepted before: other columns are not checked.

    Args:
        accepts: Decides by path and type whether a column is wanted.
        beginnings: What the first name of every accepted path begins with, if that is known.
    """

    def __init__(
        self, accepts: Callable[[tuple[str, ...], ColumnType], bool], beginnings: Iterable[str] | None = None
    ) -> None:
        self._accepts = accepts
        self._beginnings = None if beginnings is None else [one.encode(errors="surrogatepass") for one in beginnings]
        #: Whether to read a column, by its encoded path and type.
        self._known: dict[bytes, bool] = {}

    def read(self, message: bytes) -> LogEvent:
        """Return the block in a message with the accepted columns; raises MalformedEvent if it does not hold one."""
        identifier, body = unframe(message)
        schema = registry.by_id(identifier)
        if schema.topic is not Topic.LOG:
            raise MalformedEvent(f"Expected a block of rows, not a record of topic {schema.topic.value}")
        head, types, rest = _layout(identifier)
        buffer = BytesIO(body)
        try:
            fields: Any = fastavro.schemaless_reader(buffer, head, None)
            columns = self._columns(body, buffer.tell(), types)
        except (IndexError, ValueError, EOFError) as error:
            raise MalformedEvent(f"Invalid log record: {type(error).__name__}: {error}") from error
        event = event_of(Topic.LOG, {**rest, **fields, "columns": columns}, DEFAULT_LIMITS)
        assert isinstance(event, LogEvent)  # noqa: S101 - of this topic
        return event

    def _columns(self, body: bytes, place: int, types: list[str]) -> list[dict[str, Any]]:
        stop = len(body)
        if self._beginnings is not None:
            stop = max((body.rfind(one, place) for one in self._beginnings), default=-1)
        found: list[dict[str, Any]] = []
        count = 0
        while place <= stop:
            if not count:
                count, place = _array_block(body, place)
                if not count:
                    break
            count -= 1
            place = self._column(body, place, types, found)
        return found

    def _column(self, body: bytes, place: int, types: list[str], found: list[dict[str, Any]]) -> int:
        """Add the column at a place if it is wanted; return the place after it."""
        start = place
        if body[place] == _ONE_ITEM and body[place + 1] < _ONE_BYTE:
            place += 3 + (body[place + 1] >> 1)
        else:
            place = _skip_texts(body, place)
        kind = types[body[place] >> 1]
        place += 1
        wanted = self._known.get(body[start:place])
        if wanted is None:
            path = tuple(_texts(body, start)[0])
            wanted = self._known[body[start:place]] = self._accepts(path, ColumnType(kind))
        rows = place
        size, place = _long(body, place) if body[place] else (0, place + 1)
        values = place = place + size
        size, place = _long(body, place)
        texts = place = place + size
        place = _skip_texts(body, place) if body[place] else place + 1
        if wanted:
            fields = (_texts(body, start)[0], kind, _bytes(body, rows), _bytes(body, values), _texts(body, texts)[0])
            found.append(dict(zip(_FIELDS, fields, strict=True)))
        return place


@cache
def _layout(identifier: int) -> tuple[Any, list[str], Mapping[str, Any]]:
    """Return for a version of the schema: the fields before the columns, the types, the defaults of other fields."""
    parsed = registry.by_id(identifier).parsed
    names = [field["name"] for field in parsed["fields"]]
    head = parsed["fields"][: names.index("columns")]
    column = parsed["fields"][names.index("columns")]["type"]["items"]
    if [field["name"] for field in column["fields"]] != _FIELDS:
        raise MalformedEvent(f"Unknown layout of columns in schema {identifier}")
    (types,) = (field["type"]["symbols"] for field in column["fields"] if field["name"] == "type")
    rest = {
        field["name"]: field["default"]
        for field in registry.current(Topic.LOG).parsed["fields"]
        if field["name"] not in names[: names.index("columns") + 1]
    }
    definition = {"type": "record", "name": "runstream.Head", "fields": head}
    return fastavro.parse_schema(definition, named_schemas={}), types, rest


def _long(body: bytes, place: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it."""
    byte = body[place]
    place += 1
    number, shift = byte & 0x7F, 7
    while byte & 0x80:
        byte = body[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), place


def _array_block(body: bytes, place: int) -> tuple[int, int]:
    """Return the number of items of the array block at a place, and the place of the first; 0 at the end."""
    count, place = _long(body, place)
    if count < 0:  # followed by the size of the block in bytes
        _, place = _long(body, place)
    return abs(count), place


def _skip_texts(body: bytes, place: int) -> int:
    count, place = _array_block(body, place)
    while count:
        for _ in range(count):
            size, place = _long(body, place)
            place += size
        count, place = _array_block(body, place)
    return place


def _texts(body: bytes, place: int) -> tuple[list[str], int]:
    texts: list[str] = []
    count, place = _array_block(body, place)
    while count:
        for _ in range(count):
            size, place = _long(body, place)
            texts.append(body[place : place + size].decode())
            place += size
        count, place = _array_block(body, place)
    return texts, place


def _bytes(body: bytes, place: int) -> bytes:
    size, place = _long(body, place)
    return body[place : place + size]
