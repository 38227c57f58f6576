"""The schema ``control``, the only tables that the API itself writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from runstream_consumers.api.database import Connection, Database, PoolLimits, open_database
from runstream_consumers.control import schema

#: Few connections, so that requests that decide wait for each other here rather than in the database; and a long wait,
#: since a thousand runs may start at once.
LIMITS = PoolLimits(connections=4, acquire_s=20.0)


class ControlTables:
    """Provides connections that may write; creates the schema with the first."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prepared = False
        self._preparing = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Provide a connection; the schema exists and is of the newest version."""
        async with self._database.connection() as connection:
            await self._prepare(connection)
            try:
                yield connection
            except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError, asyncpg.UndefinedTableError):
                self._prepared = False  # The schema was dropped; the next request creates it again.
                raise

    async def _prepare(self, connection: Connection) -> None:
        async with self._preparing:
            if not self._prepared:
                await schema.prepare(connection)
                self._prepared = True


@asynccontextmanager
async def open_control_tables(dsn: str) -> AsyncIterator[ControlTables]:
    """Open connections that may write, and close them at the end; connects on first use."""
    async with open_database(dsn, LIMITS, read_only=False) as database:
        yield ControlTables(database)
