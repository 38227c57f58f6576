"""Which run a process logs to, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runstream.tracking.config.config import config_entry
from runstream.tracking.startup.launcher import process_rank
from runstream_schemas.events import Operation, Role, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.settings import Settings
    from runstream.tracking.run.recorder import ConfigEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Names of a run, as far as they are known to the process that logs."""

    #: None: as the server says, once it answers.
    entity: str | None
    project: str
    run_id: str
    name: str
    #: Address of the server's pages; None where no server is known.
    server_url: str | None = None

    @property
    def project_url(self) -> str | None:
        """Address of the project's page, if it is known."""
        if self.server_url is None or self.entity is None:
            return None
        return f"{self.server_url}/{self.entity}/{self.project}"

    def sweep_url(self, sweep_id: str | None) -> str | None:
        """Return the address of a sweep's page, if it is known."""
        return None if self.project_url is None or sweep_id is None else f"{self.project_url}/sweeps/{sweep_id}"

    @property
    def url(self) -> str | None:
        """Address of the run's page, if it is known."""
        return None if self.project_url is None else f"{self.project_url}/runs/{self.run_id}"


def writer_role(settings: Settings, environ: Mapping[str, str]) -> Role:
    """Return what this process is in its run: the one that decides over its state, or one of several others."""
    if settings.mode != "shared":
        return Role.PRIMARY
    primary = settings.x_primary
    if primary is None:
        place = process_rank(environ)
        primary = place is None or place.rank == 0
    return Role.PRIMARY if primary else Role.WORKER


def writer_label(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the name of this process among the writers of its run; empty for one that trains alone."""
    if settings.x_label is not None:
        return settings.x_label
    place = process_rank(environ)
    return "" if place is None or place.world_size == 1 else f"rank {place.rank}"


def metadata_entries(settings: Settings, environ: Mapping[str, str], found: Mapping[str, Any]) -> list[ConfigEntry]:
    """Return the entries that say where this process runs: of the run, and of the writer where there are several.

    A worker says nothing of the run, which it may join late.

    Args:
        settings: The settings in force.
        environ: What the launcher set.
        found: The metadata of this process.
    """
    place = process_rank(environ)
    own = {**found, **({} if place is None else place.as_metadata())}
    entries: list[ConfigEntry] = []
    if writer_role(settings, environ) is Role.PRIMARY:
        entries += [config_entry(key, value, Scope.METADATA) for key, value in own.items()]
    if settings.mode == "shared":
        name = writer_label(settings, environ) or f"{found.get('host')}/{found.get('pid')}"
        entries.append([Scope.METADATA.value, Operation.SET.value, ["writers", name], own])
    return entries
