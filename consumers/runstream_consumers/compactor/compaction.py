"""One compaction: the oldest blocks of a run become a part, or some parts become one.

Objects are written first; then one transaction adds the part to the manifest and removes what it was made of, if all of
that is still there. A process may be killed anywhere: objects that nothing refers to are known as orphans from before
they are written, and are deleted later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pyarrow as pa

from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.layout import PartRecord, base_of, object_keys
from runstream_consumers.archive.manifest import (
    QUERIES,
    NewPart,
    PostgresManifest,
    add_orphans,
    new_record,
    replace_blocks,
    replace_parts,
)
from runstream_consumers.archive.parquet.writer import directory_of
from runstream_consumers.archive.part_writer import EncodedObject, EncodedPart, encode_part, read_part
from runstream_consumers.archive.rows import HotBlock, PartRows, concatenate, gather
from runstream_consumers.compactor.plan import MOST_CELLS, parts_to_join
from runstream_consumers.history.model import NO_STEP
from runstream_consumers.history.paging import GREATEST
from runstream_consumers.history.selection import EVERY_COLUMN
from runstream_consumers.history.store import STREAM_NUMBERS
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """When no more blocks of a run are read at once."""

    rows: int = 98_304
    bytes: int = 48 * 1024 * 1024
    #: Of all blocks: a column takes half a kilobyte, however few rows its block has.
    columns: int = 400_000
    #: Blocks that are fetched before the limits are looked at again.
    fetched: int = 20


@dataclass(frozen=True, slots=True)
class Compaction:
    """Compactions, with the connections that they need."""

    connection: Connection
    store: ObjectStore
    archive: Archive
    limits: ReadLimits = ReadLimits()

    async def archive_blocks(self, run: RunPath, stream: Stream) -> int:
        """Make a part of the oldest blocks of a run; return how many rows it has, 0 if there was nothing to do.

        Raises PartConflict if the blocks are removed meanwhile, and the errors of the store and of Postgres.
        """
        blocks = _that_fit(await self._oldest_blocks(run, stream))
        if not blocks:
            return 0
        places = [block.place for block in blocks]
        rows = await asyncio.to_thread(gather, blocks)
        del blocks  # whose values are now in the rows
        await replace_blocks(self.connection, await self._stored(run, stream, rows), places)
        return len(rows)

    async def join_parts(self, run: RunPath, stream: Stream, *, is_final: bool) -> int:
        """Make one part of some parts of a run; return of how many, 0 if there was nothing to do.

        Raises as :meth:`archive_blocks`, and ObjectMissing or ObjectDamaged if a part cannot be read.
        """
        known = await PostgresManifest(self.connection).parts(run_key(run), stream, NO_STEP, GREATEST)
        chosen = parts_to_join(known, is_final=is_final)
        if len(chosen) <= 1:
            return 0
        rows = await asyncio.to_thread(self._joined, chosen)
        await replace_parts(self.connection, await self._stored(run, stream, rows), chosen)
        return len(chosen)

    def _joined(self, parts: Sequence[PartRecord]) -> PartRows:
        return concatenate([read_part(self.archive.open(part)) for part in parts])

    async def _oldest_blocks(self, run: RunPath, stream: Stream) -> list[HotBlock]:
        """Return the oldest blocks, as many as fit into a part; those with columns of later versions are left out."""
        blocks: list[HotBlock] = []
        limits, rows, size, columns = self.limits, 0, 0, 0
        async with self.connection.transaction(readonly=True):
            cursor = await self.connection.cursor(QUERIES["oldest_blocks"], run_key(run), STREAM_NUMBERS[stream])
            while rows < limits.rows and size < limits.bytes and columns < limits.columns:
                if not (found := await cursor.fetch(limits.fetched)):
                    break
                rows += sum(row["rows"] for row in found)
                size += sum(len(row["message"]) for row in found)
                decoded = await asyncio.to_thread(_decoded, found)
                columns += sum(len(block.event.columns) for block in decoded)
                blocks += decoded
        return blocks

    async def _stored(self, run: RunPath, stream: Stream, rows: PartRows) -> NewPart:
        """Store the objects of a new part, which are orphans until it is added."""
        part = uuid4()
        base = base_of(run, stream, part)
        directory = await asyncio.to_thread(directory_of, rows)
        await add_orphans(self.connection, object_keys(base, directory.files), was_part=False)
        encoded = await self._write(encode_part(rows, directory, base))
        return NewPart(
            record=new_record(run, stream, part, rows, encoded),
            size=encoded.size,
            min_time=int(rows.times.min()),
            max_time=int(rows.times.max()),
        )

    async def _write(self, objects: Iterator[EncodedObject]) -> EncodedPart:
        """Store each object as soon as it is made; return their sizes."""
        sizes = []
        while (found := await asyncio.to_thread(next, objects, None)) is not None:
            await self.store.write(found.key, found.data)
            sizes.append(found.size)
        pa.default_memory_pool().release_unused()
        return EncodedPart(sizes)


def _decoded(rows: Sequence[Mapping[str, Any]]) -> list[HotBlock]:
    blocks = [
        HotBlock(
            offset=row["offset"],
            greatest_before=NO_STEP if row["greatest"] is None else row["greatest"],
            append_time=row["append_time"],
            event=EVERY_COLUMN.read(row["message"]),
        )
        for row in rows
    ]
    return [block for block in blocks if block.is_readable]


def _that_fit(blocks: Sequence[HotBlock]) -> Sequence[HotBlock]:
    """Return the first of some blocks: all, unless they have so many columns that their rows take too much memory."""
    columns = {(column.path, column.type) for block in blocks for column in block.event.columns}
    rows = 0
    for number, block in enumerate(blocks):
        rows += block.event.count
        if number and rows * len(columns) > MOST_CELLS:
            return blocks[:number]
    return blocks
