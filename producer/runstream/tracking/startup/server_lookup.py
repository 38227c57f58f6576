"""What ``init()`` learns from the server, in less than a second, or does without."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runstream.exceptions import CommError
from runstream.server.discovery import cache_connection, cached_connection, connect, request_run_number, resolve_server
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runstream.naming import DisplayName
    from runstream.server.discovery import Server
    from runstream.settings import Settings
    from runstream.tracking.startup.identity import Identity


@dataclass(frozen=True, slots=True)
class ServerLookup:
    """Who was asked, and what came of it."""

    #: None where no server is known.
    server: Server | None
    #: The run's names, as the server completes them.
    identity: Identity
    #: What was wrong with the server, if anything.
    problem: str = ""

    @property
    def answers(self) -> bool:
        """Whether the server answered just now."""
        return self.server is not None and not self.problem


def look_up_server(identity: Identity, settings: Settings, environ: Mapping[str, str]) -> ServerLookup:
    """Ask the server that the settings name for what completes a run's names; go by its last answer if need be."""
    server = resolve_server(environ, settings.base_url)
    if server is None:
        return ServerLookup(None, identity, "no server is known (start one with `runstream up`, or set RUNSTREAM_URL)")
    try:
        connection, problem = connect(server, settings.connect_timeout_s), ""
        cache_connection(server, connection, environ)
    except CommError as error:
        known, problem = cached_connection(server, environ), str(error)
        if known is None:
            return ServerLookup(server, identity, problem)
        connection = known
    completed = replace(identity, entity=identity.entity or connection.entity, server_url=connection.url or server.url)
    return ServerLookup(server, completed, problem)


@dataclass(frozen=True, slots=True)
class LateIdentity:
    """What no server said when the run began, looked up in its folder once the shipper has learnt it.

    Args:
        folder: The run folder.
        name: How the run is called, as far as was known when it began.
        server: Whose addresses they are.
        environ: Where the server's answers are remembered.
    """

    folder: Path
    name: DisplayName
    server: Server | None
    environ: Mapping[str, str]

    def __call__(self, identity: Identity) -> Identity:
        """Return the names, with what is known by now."""
        if identity.url is not None and (self.name.given or identity.name != self.name.generated):
            return identity
        entity, number = self._delivered()
        known = None if self.server is None else cached_connection(self.server, self.environ)
        return replace(
            identity,
            entity=identity.entity or entity,
            name=str(self.name) if number is None else str(replace(self.name, number=number)),
            server_url=identity.server_url or (known.url or None if known else None),
        )

    def _delivered(self) -> tuple[str | None, int | None]:
        """Return the entity to which the run is delivered, and its number, as the shipper keeps them."""
        try:
            found = json.loads((self.folder / "delivery.json").read_bytes())
            entities = [str(cluster["entity"]) for cluster in found["clusters"].values()]
            number = found.get("number")
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None, None
        return (entities[0] if entities else None), number if isinstance(number, int) else None


def request_number(lookup: ServerLookup, settings: Settings) -> int | None:
    """Return the run's number in its project, or None where the server does not say in time: the shipper asks again."""
    identity = lookup.identity
    if lookup.server is None or identity.entity is None:
        return None
    run = RunPath(entity=identity.entity, project=identity.project, run_id=identity.run_id)
    try:
        return request_run_number(lookup.server, run, settings.connect_timeout_s)
    except CommError:
        return None
