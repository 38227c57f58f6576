"""What ``init()`` learns from the server, in less than a second, or does without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runstream.discovery import connect, find_server, recall, remember, take_number
from runstream.exceptions import CommError
from runstream_schemas.topics import RunPath

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.discovery import Server
    from runstream.settings import Settings
    from runstream.tracking.identity import Identity


@dataclass(frozen=True, slots=True)
class Meeting:
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


def meet(identity: Identity, settings: Settings, environ: Mapping[str, str]) -> Meeting:
    """Ask the server that the settings name for what completes a run's names; go by its last answer if need be."""
    server = find_server(environ, settings.base_url)
    if server is None:
        return Meeting(None, identity, "no server is known (start one with `runstream up`, or set RUNSTREAM_URL)")
    try:
        connection, problem = connect(server, settings.connect_timeout_s), ""
        remember(server, connection, environ)
    except CommError as error:
        known, problem = recall(server, environ), str(error)
        if known is None:
            return Meeting(server, identity, problem)
        connection = known
    completed = replace(identity, entity=identity.entity or connection.entity, server_url=connection.url or server.url)
    return Meeting(server, completed, problem)


def number_of(met: Meeting, settings: Settings) -> int | None:
    """Return the run's number in its project, or None where the server does not say in time: the shipper asks again."""
    identity = met.identity
    if met.server is None or identity.entity is None:
        return None
    run = RunPath(entity=identity.entity, project=identity.project, run_id=identity.run_id)
    try:
        return take_number(met.server, run, settings.connect_timeout_s)
    except CommError:
        return None
