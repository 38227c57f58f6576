"""Run numbers, the only tables that the API itself writes (docs/http-api.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from runstream_consumers.api.database import Connection, Database, PoolLimits, open_database
from runstream_consumers.run_numbers import store
from runstream_consumers.summary import reader as summary
from runstream_schemas.attributes import validated
from runstream_schemas.topics import RunPath

#: Few connections, so that the runs of a project wait for each other here rather than in the database; and a long wait,
#: since a thousand of them may start at once.
LIMITS = PoolLimits(connections=4, acquire_s=20.0)
_PAGE = 500


class RunNumbers:
    """Assigns run numbers, each in one transaction; creates its tables with the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prepared = False
        self._preparing = asyncio.Lock()

    async def number(self, run: RunPath) -> int:
        """Return the number of a run in its project; assign one if it has none."""
        async with self._database.connection() as connection:
            await self._prepare(connection)
            try:
                return await store.assign_number(connection, run, lambda: _published(connection, run))
            except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError, asyncpg.UndefinedTableError):
                self._prepared = False  # The schema was dropped; the next request creates it again.
                raise

    async def _prepare(self, connection: Connection) -> None:
        async with self._preparing:
            if not self._prepared:
                await store.prepare(connection)
                self._prepared = True


@asynccontextmanager
async def open_run_numbers(dsn: str) -> AsyncIterator[RunNumbers]:
    """Open connections that may write, and close them at the end; connects on first use."""
    async with open_database(dsn, LIMITS, read_only=False) as database:
        yield RunNumbers(database)


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
