"""Reads where the rows of a run come from: its writers, whom they continue, and what was branched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream_consumers.history.blocks import Block
from runstream_consumers.history.store import QUERIES, STREAM_NUMBERS
from runstream_consumers.history.view import BranchFacts, RunFacts, Source, WriterFacts, view_of
from runstream_consumers.runtime.postgres.run_key import run_key
from runstream_schemas.events import Stream

if TYPE_CHECKING:
    from uuid import UUID

    from runstream_consumers.runtime.plugin import Connection
    from runstream_schemas.topics import RunPath

#: Forks of forks that are followed; behind that somebody plays with us.
_GENERATIONS = 100


async def load_view(connection: Connection, run: RunPath, stream: Stream) -> list[Source]:
    """Return where the rows of a run come from; only those of the history can come from another one."""
    key = run_key(run)
    lineage = [await _facts(connection, key, stream)]
    while (fork := lineage[-1].fork) is not None and len(lineage) < _GENERATIONS:
        if any(known.run == fork.origin for known in lineage):
            break
        lineage.append(await _facts(connection, fork.origin, stream))
    return view_of(lineage)


async def _facts(connection: Connection, key: UUID, stream: Stream) -> RunFacts:
    writers = {
        row["writer"]: WriterFacts(row["first_step"], row["began"], row["widest"])
        for row in await connection.fetch(QUERIES["writers_of"], key, STREAM_NUMBERS[stream])
    }
    if stream is not Stream.HISTORY:
        return RunFacts(key, writers)
    lineage: dict[UUID, frozenset[UUID]] = {}
    for row in await connection.fetch(QUERIES["lineage_of"], key):
        lineage[row["writer"]] = lineage.get(row["writer"], frozenset()) | {row["continues"]}
    branches = [BranchFacts(**row) for row in await connection.fetch(QUERIES["branches_of"], key)]
    return RunFacts(key, writers, lineage, branches)


def block_of(row: Any, source: Source) -> Block | None:
    """Return the block in a row of the table, as a source shows it; None where it is no part of the view."""
    bounds = source.place(row["writer"], row["offset"])
    return None if bounds is None else Block.of(row, source.rank, bounds)
