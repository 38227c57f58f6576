"""What a request may use, and how a route asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request

from runstream_consumers.api.database import Connection, Database
from runstream_consumers.api.kafka.cluster import Cluster
from runstream_consumers.api.kafka.commands import Commands
from runstream_consumers.api.polling_pace import Pace
from runstream_consumers.api.run_numbers import Control
from runstream_consumers.settings import ServerSettings
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.topics import RunPath, canonical_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The adapters of one API process."""

    settings: ServerSettings
    database: Database
    control: Control
    cluster: Cluster
    commands: Commands
    pace: Pace

    @property
    def url(self) -> str:
        """The address that pages and clients use, without a slash at the end."""
        return self.settings.url


def services(request: Request) -> Services:
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


TheServices = Annotated[Services, Depends(services)]


async def connection(found: TheServices) -> AsyncIterator[Connection]:
    """Lend a database connection until the request is answered."""
    async with found.database.connection() as lent:
        yield lent


TheConnection = Annotated[Connection, Depends(connection)]

Name = Annotated[str, Path(min_length=1, max_length=DEFAULT_LIMITS.name_length)]


def run_path(entity: Name, project: Name, run_id: Name) -> RunPath:
    """Return the run that the path of a request names."""
    return RunPath(entity=entity, project=canonical_project(project), run_id=run_id)


TheRun = Annotated[RunPath, Depends(run_path)]
