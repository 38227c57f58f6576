"""What the tables of a consumer have, in a form that does not depend on how they were written."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.manifest import part_record
from runstream_consumers.history.selection import EVERY_COLUMN
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.settings import ServerSettings
from runstream_consumers.summary.reader import document_of
from runstream_consumers.summary.store import QUERIES as SUMMARY_QUERIES
from runstream_consumers.summary.store import stored_state_of
from runstream_schemas.codec import decode
from runstream_schemas.events import LogEvent
from runstream_schemas.rows import unpack_rows
from runstream_schemas.summary_algebra.state_codec import encode_state
from runstream_schemas.topics import Topic

#: Rows of the database that are read at once.
_BATCH = 200
_SUMMARY_TABLES = re.compile(r"\bsummary\.(run|part|change|listing)\b")


@dataclass(frozen=True, slots=True)
class Contents:
    """Reads the tables of a sink, which are those of the search path, within an open transaction."""

    connection: Connection
    archive: Archive
    schema: str

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: ServerSettings, connection: Connection, schema: str) -> AsyncIterator[Self]:
        """Provide the contents of a schema until the block ends."""
        async with ObjectStore.opened(settings) as store:
            with Archive.opened(store) as archive:
                yield cls(connection, archive, schema)


async def run_documents(contents: Contents) -> AsyncIterator[bytes]:
    """Yield of each run in the tables of the summary consumer what readers get, and the state from which it goes on."""
    documents, states = (_SUMMARY_TABLES.sub(r"\1", SUMMARY_QUERIES[name]) for name in ("documents", "state"))
    async for rows in _batches(contents.connection, "select run from run"):
        for row in await contents.connection.fetch(documents, [one["run"] for one in rows]):
            document = document_of(row)
            state = await contents.connection.fetchrow(states, row["run"])
            known = stored_state_of(document.run, state, state["parts"]).state
            yield _canonical([asdict(document), encode_state(known)])


async def history_rows(contents: Contents) -> AsyncIterator[bytes]:
    """Yield every row in the tables of the history consumer, and in the archive to which they refer."""
    query = 'select run, stream, "offset", append_time, message from block'
    async for rows in _batches(contents.connection, query):
        for row in rows:
            event = decode(Topic.LOG, row["message"])
            assert isinstance(event, LogEvent), "the table has blocks only"  # noqa: S101
            for item in _rows(event, np.full(event.count, row["offset"])):
                yield item
    query = "select archive_part.*, entity, project, run_id from archive_part join run using (run)"
    async for rows in _batches(contents.connection, query):
        for row in rows:
            part = contents.archive.open(part_record(row))
            for block in part.index.blocks.listed():
                for item in _rows(part.event(block, EVERY_COLUMN), part.offsets(block)):
                    yield item


def _rows(event: LogEvent, offsets: Any) -> Iterator[bytes]:
    head = [event.run.entity, event.run.project, event.run.run_id, event.writer.id.hex(), event.stream.value]
    plain = zip(offsets.tolist(), event.orders.tolist(), event.steps.tolist(), event.times.tolist(), strict=True)
    for index, (numbers, row) in enumerate(zip(plain, unpack_rows(event), strict=True)):
        yield _canonical([head, event.seq + index, numbers, row])


def _canonical(value: Any) -> bytes:
    """Return a value as JSON without the order of keys; NaN and infinities are written by name."""
    return json.dumps(value, sort_keys=True, default=repr).encode("utf-8", "surrogatepass")


async def _batches(connection: Connection, query: str) -> AsyncIterator[list[Any]]:
    cursor = await connection.cursor(query)
    while rows := await cursor.fetch(_BATCH):
        yield rows
