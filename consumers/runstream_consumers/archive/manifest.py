"""The manifest: which parts each run has, and which objects nothing refers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runstream_consumers.archive.layout import PartRecord, base_of, object_keys
from runstream_consumers.history.store import STREAM_NUMBERS
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.queries import columns_of, load_queries
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from runstream_consumers.archive.part_writer import EncodedPart
    from runstream_consumers.archive.rows import PartRows

QUERIES = load_queries(files("runstream_consumers.archive") / "sql" / "queries.sql")
_STREAMS = {number: stream for stream, number in STREAM_NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class PostgresManifest:
    """The manifest in the tables of the history."""

    _connection: Connection

    async def parts(self, run: UUID, stream: Stream, first: int, last: int) -> list[PartRecord]:
        """Return the parts that have rows in a range of steps (both inclusive), by their first step."""
        return (await self.parts_of([run], stream, first, last)).get(run, [])

    async def parts_of(
        self, runs: Sequence[UUID], stream: Stream, first: int, last: int
    ) -> dict[UUID, list[PartRecord]]:
        """Return those of several runs; runs without parts are left out."""
        found: dict[UUID, list[PartRecord]] = {}
        for row in await self._connection.fetch(
            QUERIES["parts_across"], list(runs), STREAM_NUMBERS[stream], first, last
        ):
            found.setdefault(row["run"], []).append(part_record(row))
        return found

    async def newest_of(self, runs: Sequence[UUID], stream: Stream) -> dict[UUID, int | None]:
        """Return the greatest offset of the rows of each run, archived or not; None if there are none."""
        return dict(await self._connection.fetch(QUERIES["newest_of"], list(runs), STREAM_NUMBERS[stream]))


async def exported_parts(connection: Connection, run: RunPath, stream: Stream) -> list[PartRecord]:
    """Return the parts of a run, by their first step."""
    return await PostgresManifest(connection).parts(run_key(run), stream, -(2**63), 2**63 - 1)


async def has_hot_rows(connection: Connection, run: RunPath, stream: Stream) -> bool:
    """Return whether rows of a run are not archived."""
    return bool(await connection.fetchval(QUERIES["has_hot_rows"], run_key(run), STREAM_NUMBERS[stream]))


def part_record(row: Any) -> PartRecord:
    """Return a part from a row of the manifest, joined with the run."""
    return PartRecord(
        run=RunPath(entity=row["entity"], project=row["project"], run_id=row["run_id"]),
        stream=_STREAMS[row["stream"]],
        part=row["part"],
        base=row["base"],
        files=row["files"],
        index_object_size=row["index_object_size"],
        index_size=row["index_size"],
        rows=row["rows"],
        points=row["points"],
        columns=row["columns"],
        min_step=row["min_step"],
        max_step=row["max_step"],
        first_offset=row["first_offset"],
        last_offset=row["last_offset"],
    )


class PartConflict(Exception):  # noqa: N818 — nothing was changed
    """What a part was made of is not there anymore, so the part is not added; the message says what is missing."""


def new_record(run: RunPath, stream: Stream, part: UUID, rows: PartRows, encoded: EncodedPart) -> PartRecord:
    """Return the record of a part that was made."""
    return PartRecord(
        run=run,
        stream=stream,
        part=part,
        base=base_of(run, stream, part),
        files=encoded.files,
        index_object_size=encoded.index.size,
        index_size=encoded.index.footer,
        rows=len(rows),
        points=rows.points,
        columns=len(rows.columns),
        min_step=int(rows.steps.min()),
        max_step=int(rows.steps.max()),
        first_offset=int(rows.offsets.min()),
        last_offset=int(rows.offsets.max()),
    )


async def add_orphans(connection: Connection, keys: Sequence[str], *, was_part: bool) -> None:
    """Record objects that nothing refers to yet, or any more if they belonged to a part."""
    await connection.execute(QUERIES["add_orphans"], list(keys), was_part)


async def replace_blocks(connection: Connection, new: NewPart, blocks: Sequence[tuple[int, int]]) -> None:
    """Add a part and remove the blocks in it, by offset and sequence number, in one transaction.

    Raises PartConflict if any of them is not in the table, or the run was deleted.
    """
    place = (run_key(new.record.run), STREAM_NUMBERS[new.record.stream])
    async with connection.transaction():
        status = await connection.execute(QUERIES["remove_blocks"], *place, *columns_of(blocks))
        _check(status, len(blocks), "blocks")
        await _add(connection, new)


async def replace_parts(connection: Connection, new: NewPart, parts: Sequence[PartRecord]) -> None:
    """Add a part and remove those whose rows it has, in one transaction; a trigger makes their objects orphans.

    Raises PartConflict if any of them is not in the manifest.
    """
    place = (run_key(new.record.run), STREAM_NUMBERS[new.record.stream])
    async with connection.transaction():
        status = await connection.execute(QUERIES["remove_parts"], *place, [part.part for part in parts])
        _check(status, len(parts), "parts")
        await _add(connection, new)


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part whose objects are stored."""

    record: PartRecord
    size: int
    #: The least and the greatest time of its rows.
    min_time: int
    max_time: int


async def _add(connection: Connection, new: NewPart) -> None:
    record = new.record
    # After what it was made of, since a deletion locks rows in this order.
    if await connection.fetchval(QUERIES["lock_run"], run_key(record.run)) is None:
        raise PartConflict(f"The run {record.run} was deleted")
    await connection.execute(
        QUERIES["add_part"],
        run_key(record.run),
        STREAM_NUMBERS[record.stream],
        record.part,
        record.base,
        record.files,
        record.index_object_size,
        record.index_size,
        new.size,
        record.rows,
        record.points,
        record.columns,
        record.min_step,
        record.max_step,
        record.first_offset,
        record.last_offset,
        new.min_time,
        new.max_time,
    )
    keys = object_keys(record.base, record.files)
    _check(await connection.execute(QUERIES["remove_orphans"], keys), len(keys), "objects")


def _check(status: str, expected: int, what: str) -> None:
    found = int(status.rpartition(" ")[2])
    if found != expected:
        raise PartConflict(f"{expected - found} of {expected} {what} are gone: another process may be at work")
