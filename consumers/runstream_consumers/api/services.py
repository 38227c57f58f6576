"""The services that routes use, and their dependencies.

Dependencies are coroutines, since FastAPI calls each other function in a thread.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request

from runstream_consumers.api.artifact_decisions import ArtifactDecisions
from runstream_consumers.api.artifact_expiry import ArtifactExpiry
from runstream_consumers.api.content import ContentServer
from runstream_consumers.api.control_tables import ControlTables
from runstream_consumers.api.database import Connection, Database
from runstream_consumers.api.fair_share import FairShare
from runstream_consumers.api.following.changes import Changes
from runstream_consumers.api.following.messages import Streams
from runstream_consumers.api.kafka.command_events import Commands
from runstream_consumers.api.kafka.offsets import Cluster
from runstream_consumers.api.kafka.read_barrier import ReadBarrier
from runstream_consumers.api.manifests import Manifests
from runstream_consumers.api.polling_pace import PollingPace
from runstream_consumers.api.problems import BadParameter, Problem
from runstream_consumers.api.run_numbers import RunNumbers
from runstream_consumers.api.security.access import ThePrincipal
from runstream_consumers.archive.archive import Archive
from runstream_consumers.archive.storage.cache import Cache
from runstream_consumers.archive.stored_blocks import StoredBlocks
from runstream_consumers.object_store.store import ObjectStore
from runstream_consumers.settings import ServerSettings
from runstream_consumers.summary.key_names import KeyNames
from runstream_schemas.limits import DEFAULT_LIMITS
from runstream_schemas.topics import RunPath, canonical_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of one API process."""

    settings: ServerSettings
    database: Database
    control: ControlTables
    run_numbers: RunNumbers
    artifact_decisions: ArtifactDecisions
    artifact_expiry: ArtifactExpiry
    manifests: Manifests
    #: None if the settings name no object store; see :func:`contents`.
    contents: ContentServer | None
    cluster: Cluster
    commands: Commands
    read_barrier: ReadBarrier
    polling_pace: PollingPace
    #: For reads of rows, and for lists of runs that are selected or sorted: each takes some of the connections only.
    fair_share: FairShare
    selections: FairShare
    #: What is followed, and the open streams of those who follow it.
    changes: Changes
    streams: Streams
    #: Rows of runs that were moved to the object store.
    archive: Archive
    #: Responses with charts and their entity tags: valid while the rows of the runs have the same.
    charts: Cache[tuple[str, bytes]]
    key_names: KeyNames

    def blocks(self, connection: Connection) -> StoredBlocks:
        """Return the rows of runs, as read over a connection."""
        return StoredBlocks.of(connection, self.archive)


async def services(request: Request) -> Services:
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


TheServices = Annotated[Services, Depends(services)]


async def connection(found: TheServices) -> AsyncIterator[Connection]:
    """Provide a database connection for the duration of a request."""
    async with found.database.connection() as held:
        yield held


TheConnection = Annotated[Connection, Depends(connection)]


async def contents(found: TheServices) -> ContentServer:
    """Return what responds with contents of the object store; a problem if there is none."""
    if found.contents is None:
        message = "No object store is configured: set RUNSTREAM_S3_ENDPOINT and its key where the API runs."
        raise Problem(503, "no_object_store", message)
    return found.contents


TheContents = Annotated[ContentServer, Depends(contents)]
Download = Annotated[bool, Query(description="Save the file instead of showing it")]
Scripts = Annotated[bool, Query(description="Run the scripts of HTML, in an origin of its own")]


async def object_store(found: TheContents) -> ObjectStore:
    """Return the store of files and artifacts; a problem if there is none."""
    return found.store


TheStore = Annotated[ObjectStore, Depends(object_store)]

Name = Annotated[str, Path(min_length=1, max_length=DEFAULT_LIMITS.name_length)]


def run_path(entity: str, project: str, run_id: str) -> RunPath:
    """Return a run by names as requests have them."""
    return RunPath(entity=entity, project=canonical_project(project), run_id=run_id)


async def run_in_path(entity: Name, project: Name, run_id: Name) -> RunPath:
    """Return the run in the path of a request."""
    return run_path(entity, project, run_id)


TheRun = Annotated[RunPath, Depends(run_in_path)]


async def command_key(
    idempotency_key: Annotated[
        str | None, Header(description="A UUID that identifies this request; a repeated request is applied once")
    ] = None,
) -> bytes:
    """Return the 16 bytes that identify a command; raises BadParameter for a header that is not a UUID."""
    if idempotency_key is None:
        return secrets.token_bytes(16)
    try:
        return UUID(idempotency_key).bytes
    except ValueError as error:
        raise BadParameter("Idempotency-Key", f"expected a UUID, not {idempotency_key!r}") from error


TheKey = Annotated[bytes, Depends(command_key)]


@dataclass(frozen=True, slots=True)
class CostlyReads:
    """Connections for reading the rows of a run, of which each client has its share."""

    _services: Services
    client: str
    _run: RunPath

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Wait for the client's turn, and provide a connection.

        To be left before the response is sent, since a client may receive it slowly.
        """
        async with (
            self._services.fair_share.read(self.client, self._run),
            self._services.database.connection() as held,
        ):
            yield held

    def blocks(self, connection: Connection) -> StoredBlocks:
        """Return the rows of runs, as read over a connection."""
        return self._services.blocks(connection)


async def client(request: Request, principal: ThePrincipal) -> str:
    """Return the client of a request: a principal on a machine."""
    host = "" if request.client is None else request.client.host
    return f"{principal.id}@{host}"


TheClient = Annotated[str, Depends(client)]


async def costly_reads(run: TheRun, of: TheClient, found: TheServices) -> CostlyReads:
    """Return the reads of a client."""
    return CostlyReads(found, of, run)


TheReads = Annotated[CostlyReads, Depends(costly_reads)]
