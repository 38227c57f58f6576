"""Which run a process logs to, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_schemas.events import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runstream.settings import Settings


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


def role_of(settings: Settings, environ: Mapping[str, str]) -> Role:
    """Return what this process is in its run: the one that decides over its state, or one of several others."""
    if settings.mode != "shared":
        return Role.PRIMARY
    primary = settings.x_primary
    if primary is None:
        primary = rank_of(environ) in {None, 0}
    return Role.PRIMARY if primary else Role.WORKER


def label_of(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the name of this process among the writers of its run, or an empty string."""
    if settings.x_label is not None:
        return settings.x_label
    rank = rank_of(environ)
    return "" if rank is None else f"rank {rank}"


def rank_of(environ: Mapping[str, str]) -> int | None:
    """Return the rank that a launcher (torchrun, Slurm, MPI) gave this process, or None."""
    for variable in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "LOCAL_RANK"):
        value = environ.get(variable, "")
        if value.isdecimal():
            return int(value)
    return None
