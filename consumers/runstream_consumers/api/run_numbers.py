"""Run numbers (docs/http-api.md)."""

from __future__ import annotations

from runstream_consumers.api.control_tables import ControlTables
from runstream_consumers.api.database import Connection
from runstream_consumers.run_numbers import store
from runstream_consumers.summary import reader as summary
from runstream_schemas.attributes import validated
from runstream_schemas.topics import RunPath

_PAGE = 500


class RunNumbers:
    """Assigns run numbers, each in one transaction."""

    def __init__(self, control: ControlTables) -> None:
        self._control = control

    async def number(self, run: RunPath) -> int:
        """Return the number of a run in its project; assign one if it has none."""
        async with self._control.connection() as connection:
            return await store.assign_number(connection, run, lambda: _published(connection, run))


async def _published(connection: Connection, run: RunPath) -> tuple[store.Published, int]:
    """Return the numbers of a project's runs according to the summary consumer, and how many runs it has."""
    found: store.Published = {}
    count = 0
    if await connection.fetchval("select to_regclass('summary.run') is null"):
        return found, count
    after: str | None = None
    while True:
        page = await summary.runs(connection, entity=run.entity, project=run.project, limit=_PAGE, after=after)
        for document in page:
            count += document.run != run
            if (number := validated(document.attributes).number) is not None:
                found[document.run] = number
        if len(page) < _PAGE:
            return found, count
        after = page[-1].cursor
