"""What a fork shows of the runs that it continues: the files that its inherited rows name, and their charts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from runstream_consumers.api.database import Connection
from runstream_consumers.files import reader as files
from runstream_consumers.files.model import FileRow, FileState
from runstream_consumers.history.postgres_blocks import BranchPoint, branches_of_runs
from runstream_consumers.summary import reader as summary
from runstream_schemas.attributes import validated
from runstream_schemas.topics import RunPath

#: A longer chain of forks is not followed.
_MOST_ANCESTORS = 100
#: The folder of the files that rows name; others belong to one run.
_MEDIA = "media/"


async def ancestors(
    connection: Connection, run: RunPath, branches: Sequence[BranchPoint] | None = None
) -> AsyncIterator[RunPath]:
    """Yield the runs that a run continues, the nearest first."""
    seen = {run}
    for _ in range(_MOST_ANCESTORS):
        found = branches if branches is not None else (await branches_of_runs(connection, [run])).get(run, ())
        parent = next((one.run for one in reversed(found) if one.run is not None and one.run not in seen), None)
        if parent is None:
            return
        yield parent
        seen.add(parent)
        run, branches = parent, None


async def files_of(connection: Connection, run: RunPath, names: Sequence[str]) -> dict[str, tuple[RunPath, FileRow]]:
    """Return the files that are known by these names, each with the run that has it: this one or an ancestor."""
    found = await _own(connection, run, names)
    missing = [name for name in names if name not in found and name.startswith(_MEDIA)]
    if missing:
        async for parent in ancestors(connection, run):
            found |= await _own(connection, parent, missing)
            if not (missing := [name for name in missing if name not in found]):
                break
    return found


async def _own(connection: Connection, run: RunPath, names: Sequence[str]) -> dict[str, tuple[RunPath, FileRow]]:
    rows = await files.of_run(connection, run, names=names, limit=len(names))
    return {row.path: (run, row) for row in rows if row.state is not FileState.DELETED}


async def charts_of(connection: Connection, run: RunPath, branches: Sequence[BranchPoint]) -> dict[str, Any]:
    """Return the charts of the runs that a run continues; of two with one key, that of the nearer run."""
    found: dict[str, Any] = {}
    async for parent in ancestors(connection, run, branches):
        document = await summary.run(connection, parent)
        if document is not None:
            found = {**validated(document.attributes).charts, **found}
    return found
