"""Chunks: consecutive messages of a partition as a Parquet file, unchanged. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class ChunkDamaged(Exception):  # noqa: N818 — a state of stored bytes
    """Bytes are not a chunk, or not that of its key; the message says which."""


class ArchivedMessage(NamedTuple):
    """A message as the broker has it, in the order of the file's columns."""

    offset: int
    #: Milliseconds since 1970.
    timestamp: int
    #: 0: set by the client, 1: by the broker.
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    #: Whether the message was of a deleted run, and its key, value and headers were removed.
    is_purged: bool = False

    def purged(self) -> ArchivedMessage:
        """Return the message without its content: its offset and time remain."""
        return ArchivedMessage(self.offset, self.timestamp, self.timestamp_type, None, None, is_purged=True)


@dataclass(frozen=True, slots=True)
class ChunkName:
    """Where the messages of a chunk are in Kafka."""

    topic: str
    partition: int
    first: int
    stop: int

    def key(self, sha256: bytes) -> str:
        """Return the key of its object: equal for equal bytes, so that a repetition writes the same object."""
        offsets = f"{self.first:020}-{self.stop:020}"
        return f"topics/{self.topic}/{self.partition:05}/{offsets}-{sha256.hex()[:16]}.parquet"


def _schema() -> Any:
    import pyarrow as pa  # noqa: PLC0415 - a consumer that reads no archived message does not need it

    header = pa.struct([("key", pa.string()), ("value", pa.binary())])
    types = [pa.int64(), pa.int64(), pa.int8(), pa.binary(), pa.binary(), pa.list_(header), pa.bool_()]
    return pa.schema(list(zip(ArchivedMessage._fields, types, strict=True)))


def encode_chunk(messages: Sequence[ArchivedMessage]) -> bytes:
    """Return the file of messages, whose offsets ascend. Equal messages are equal bytes."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns = list(zip(*messages, strict=True))
    headers = ArchivedMessage._fields.index("headers")
    columns[headers] = tuple([{"key": key, "value": value} for key, value in each] for each in columns[headers])
    schema = _schema()
    table = pa.table([pa.array(values, type=kind) for values, kind in zip(columns, schema.types, strict=True)], schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_page_checksum=True)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode_chunk(data: bytes) -> Iterator[ArchivedMessage]:
    """Yield the messages of a file in their order; raises ChunkDamaged."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(pa.BufferReader(data), schema=_schema(), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise ChunkDamaged(f"{len(data)} bytes are not a chunk: {error}") from error
    columns = [column.to_pylist() for column in table.itercolumns()]
    for offset, timestamp, kind, key, value, pairs, flag in zip(*columns, strict=True):
        headers = tuple((pair["key"], pair["value"]) for pair in pairs)
        yield ArchivedMessage(offset, timestamp, kind, key, value, headers, flag)
