"""What ``init()`` asks the server for: in less than a second, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runstream.exceptions import CommError, UsageError
from runstream.server.connection import cache_connection, cached_connection, is_refusal
from runstream.server.discovery import resolve_server
from runstream.server.endpoints import find_stack, request_run_number
from runstream.server.messages import NO_SERVER
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
    #: The server answered and refused the key: asking again does not help.
    refused: bool = False

    @property
    def answers(self) -> bool:
        """Whether the server has just answered."""
        return self.server is not None and not self.problem

    def check(self) -> None:
        """Raise CommError if the server has not answered."""
        if not self.answers:
            raise CommError(self.problem)


def look_up_server(identity: RunIdentity, settings: Settings, environ: Mapping[str, str]) -> ServerLookup:
    """Ask the server for what completes the names of a run, or use its last answer if it does not reply."""
    if (server := resolve_server(environ, settings.base_url)) is None:
        return ServerLookup(None, identity, NO_SERVER)
    try:
        server, connection = find_stack(server, environ, (), settings.connect_timeout_s)
        problem, refused = "", False
        cache_connection(server, connection)
    except CommError as error:
        problem, refused = str(error), is_refusal(error)
        known = None if refused else cached_connection(server)
        if known is None:
            return ServerLookup(server, identity, problem, refused)
        connection = known
    completed = replace(identity, entity=identity.entity or connection.entity, server_url=connection.url or server.url)
    return ServerLookup(server, completed, problem, refused)


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
    """Return the run's number in its project; None if there is no answer in time: the shipper asks again.

    Raises UsageError if the run was deleted.
    """
    identity = lookup.identity
    if lookup.server is None or identity.entity is None:
        return None
    run = RunPath(entity=identity.entity, project=identity.project, run_id=identity.run_id)
    try:
        found = request_run_number(lookup.server, run, settings.connect_timeout_s)
    except CommError:
        return None
    if found.deleted:
        raise deleted_error(identity.run_id, identity.project)
    return found.number


def deleted_error(run_id: str, project: str) -> UsageError:
    """Return the error of a run that cannot begin, since one with its id was deleted."""
    return UsageError(f"Cannot begin run {run_id}: it was deleted from project {project}; use another id")
