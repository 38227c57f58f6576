"""What the launcher of a distributed training says of this process: its rank, and where it stands among the others.

Only environment variables are read. The first launcher that says a rank counts: a launcher that is started by another,
as torchrun by Slurm, knows the process better than the one that started it.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The number of a pod of a StatefulSet; the random end of other pods' names is longer.
_ORDINAL = re.compile(r"-(\d{1,4})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRank:
    """A process among those that train together; None: nobody says."""

    launcher: str
    rank: int
    #: Its number on its machine.
    local_rank: int | None = None
    #: The number of its machine.
    node: int | None = None
    #: How many processes there are.
    world_size: int | None = None

    def as_metadata(self) -> dict[str, Any]:
        """Return what is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Launcher:
    """The variables of one launcher."""

    name: str
    rank: str
    local_rank: str = ""
    node: str = ""
    world_size: str = ""


#: In the order in which they are asked; the table of docs/client.md.
_LAUNCHERS = (
    _Launcher("torchrun", "RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE"),
    _Launcher("Horovod", "HOROVOD_RANK", "HOROVOD_LOCAL_RANK", "HOROVOD_CROSS_RANK", "HOROVOD_SIZE"),
    _Launcher("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "", "OMPI_COMM_WORLD_SIZE"),
    _Launcher("MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "", "MV2_COMM_WORLD_SIZE"),
    _Launcher("MPI", "PMI_RANK", "MPI_LOCALRANKID", "", "PMI_SIZE"),
    _Launcher("MPI", "PMIX_RANK"),
    _Launcher("Slurm", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS"),
    _Launcher("Kubernetes", "JOB_COMPLETION_INDEX"),
    _Launcher("Kubernetes", "LWS_WORKER_INDEX", "", "", "LWS_GROUP_SIZE"),
    _Launcher("Kubernetes", "POD_INDEX"),
    _Launcher("torchrun", "LOCAL_RANK", "LOCAL_RANK"),
)


def process_rank(environ: Mapping[str, str]) -> ProcessRank | None:
    """Return what the launcher says of this process; None where there is none."""
    for launcher in _LAUNCHERS:
        rank = _number(environ, launcher.rank)
        if rank is not None:
            return ProcessRank(
                launcher=launcher.name,
                rank=rank,
                local_rank=_number(environ, launcher.local_rank),
                node=_number(environ, launcher.node),
                world_size=_number(environ, launcher.world_size),
            )
    return _pod(environ)


def _pod(environ: Mapping[str, str]) -> ProcessRank | None:
    """Return the place of a pod of a StatefulSet, whose name ends with its number."""
    if "KUBERNETES_SERVICE_HOST" not in environ:
        return None
    found = _ORDINAL.search(environ.get("POD_NAME") or environ.get("HOSTNAME", ""))
    return None if found is None else ProcessRank(launcher="Kubernetes", rank=int(found[1]))


def _number(environ: Mapping[str, str], variable: str) -> int | None:
    value = environ.get(variable, "") if variable else ""
    return int(value) if value.isascii() and value.isdecimal() else None
