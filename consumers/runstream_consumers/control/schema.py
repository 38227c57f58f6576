"""Creates the schema ``control``; its tables are those of run numbers, objects and artifacts."""

from __future__ import annotations

from importlib.resources import files

from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.postgres.migrate import migrate

SCHEMA = "control"


async def prepare(connection: Connection) -> None:
    """Create the schema, or bring it to the newest version."""
    await migrate(connection, SCHEMA, files(__package__) / "migrations")
