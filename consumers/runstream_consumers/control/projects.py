"""Projects that were created before a run of theirs began."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from runstream_consumers.runtime.plugin import Connection

_CREATE = "insert into control.created_project (entity, project) values ($1, $2) on conflict do nothing"
_EXISTS = "select to_regclass('control.created_project') is not null"
_LIST = "select entity, project, created from control.created_project where $1::text is null or entity = $1"


class CreatedProject(NamedTuple):
    """A project, and when it was created."""

    entity: str
    project: str
    created: datetime


async def create(connection: Connection, entity: str, project: str) -> None:
    """Create a project, unless it was created before; the connection must be able to write."""
    await connection.execute(_CREATE, entity, project)


async def created(connection: Connection, entity: str | None) -> list[CreatedProject]:
    """Return the projects that were created, those of an entity or all."""
    if not await connection.fetchval(_EXISTS):
        return []
    return [CreatedProject(*row) for row in await connection.fetch(_LIST, entity)]
