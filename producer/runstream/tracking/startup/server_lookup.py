"""What ``init()`` asks the server for: in less than a second, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runstream.exceptions import CommError
from runstream.server.connection import cache_connection, cached_connection
from runstream.server.discovery import resolve_server
from runstream.server.endpoints import connect, request_run_number
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.run_names import DisplayName
    from runstream.server.discovery import Server
    from runstream.settings import Settings
    from runstream.tracking.run.identity import RunIdentity


@dataclass(frozen=True, slots=True)
class ServerLookup:
    """The server of a run, and its answer."""

    #: None if no server is known.
    server: Server | None
    #: Names of the run, completed by the server.
    identity: RunIdentity
    #: Why the server did not answer; empty if it did.
    problem: str = ""

    @property
    def answers(self) -> bool:
        """Whether the server has just answered."""
        return self.server is not None and not self.problem


def look_up_server(identity: RunIdentity, settings: Settings, environ: Mapping[str, str]) -> ServerLookup:
    """Ask the server for what completes the names of a run, or use its last answer if it does not reply."""
    if (server := resolve_server(environ, settings.base_url)) is None:
        return ServerLookup(None, identity, "No server is known (start one with `runstream up`, or set RUNSTREAM_URL)")
    try:
        connection, problem = connect(server, settings.connect_timeout_s), ""
        cache_connection(server, connection)
    except CommError as error:
        known, problem = cached_connection(server), str(error)
        if known is None:
            return ServerLookup(server, identity, problem)
        connection = known
    completed = replace(identity, entity=identity.entity or connection.entity, server_url=connection.url or server.url)
    return ServerLookup(server, completed, problem)


def server_environ(environ: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    """Return an environment in which the key of the settings belongs to their server, for the shipper too."""
    if settings.api_key is None:
        return environ
    url = {} if settings.base_url is None else {"RUNSTREAM_URL": settings.base_url}
    return {**environ, **url, "RUNSTREAM_API_KEY": settings.api_key}


@dataclass(frozen=True, slots=True)
class LateIdentity:
    """Names that were not known when the run began, read from its folder once the shipper has resolved them."""

    folder: Path
    name: DisplayName
    server: Server | None

    def __call__(self, identity: RunIdentity) -> RunIdentity:
        """Return the names, completed with what is known by now."""
        if identity.url is not None and (self.name.given or identity.name != self.name.generated):
            return identity
        entity, number = self._delivered()
        known = None if self.server is None else cached_connection(self.server)
        return replace(
            identity,
            entity=identity.entity or entity,
            name=str(self.name) if number is None else str(replace(self.name, number=number)),
            server_url=identity.server_url or (known.url or None if known else None),
        )

    def _delivered(self) -> tuple[str | None, int | None]:
        """Return the entity that the run is delivered to, and the run's number, from the shipper's file."""
        try:
            found = json.loads((self.folder / "delivery.json").read_bytes())
            entities = [str(cluster["entity"]) for cluster in found["clusters"].values()]
            number = found.get("number")
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None, None
        return (entities[0] if entities else None), number if isinstance(number, int) else None


def request_number(lookup: ServerLookup, settings: Settings) -> int | None:
    """Return the run's number in its project; None if there is no answer in time: the shipper asks again."""
    identity = lookup.identity
    if lookup.server is None or identity.entity is None:
        return None
    run = RunPath(entity=identity.entity, project=identity.project, run_id=identity.run_id)
    try:
        return request_run_number(lookup.server, run, settings.connect_timeout_s)
    except CommError:
        return None
