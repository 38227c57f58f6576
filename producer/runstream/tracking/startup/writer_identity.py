"""What a process is in its run: its rank in a distributed training, its role, its label, and where it runs.

The rank is that of the first launcher that sets one in the environment: a launcher that is started by another, as
torchrun is by Slurm, knows the process better than the one that started it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream.tracking.startup.provenance import gpu_driver
from runstream.tracking.values.entries import config_entry
from runstream_schemas.events import Operation, Role, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runstream.settings import Settings
    from runstream.tracking.values.entries import ConfigEntry

_GPU_MODEL = re.compile(r"^Model:\s*(.+?)\s*$", re.MULTILINE)
#: The number of a pod of a StatefulSet; the random suffix of other pods is longer.
_ORDINAL = re.compile(r"-(\d{1,4})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRank:
    """A process among those that train together; a value is None if the launcher does not set it."""

    launcher: str
    rank: int
    local_rank: int | None = None
    node: int | None = None
    world_size: int | None = None

    def as_metadata(self) -> dict[str, Any]:
        """Return the values that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


#: The name of each launcher, and its variables of rank, local rank, node and world size; an empty one does not exist.
#: In the order in which they are tried; see the table in docs/client.md.
_LAUNCHERS = (
    ("torchrun", "RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE"),
    ("Horovod", "HOROVOD_RANK", "HOROVOD_LOCAL_RANK", "HOROVOD_CROSS_RANK", "HOROVOD_SIZE"),
    ("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "", "OMPI_COMM_WORLD_SIZE"),
    ("MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "", "MV2_COMM_WORLD_SIZE"),
    ("MPI", "PMI_RANK", "MPI_LOCALRANKID", "", "PMI_SIZE"),
    ("MPI", "PMIX_RANK", "", "", ""),
    ("Slurm", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS"),
    ("Kubernetes", "JOB_COMPLETION_INDEX", "", "", ""),
    ("Kubernetes", "LWS_WORKER_INDEX", "", "", "LWS_GROUP_SIZE"),
    ("Kubernetes", "POD_INDEX", "", "", ""),
    ("torchrun", "LOCAL_RANK", "LOCAL_RANK", "", ""),
)


def process_rank(environ: Mapping[str, str]) -> ProcessRank | None:
    """Return the rank of this process; None if no launcher set one."""
    for launcher, *variables in _LAUNCHERS:
        rank, local_rank, node, world_size = (_number(environ, variable) for variable in variables)
        if rank is not None:
            return ProcessRank(launcher=launcher, rank=rank, local_rank=local_rank, node=node, world_size=world_size)
    return _pod(environ)


def _pod(environ: Mapping[str, str]) -> ProcessRank | None:
    """Return the rank of a pod of a StatefulSet, whose name ends with its number."""
    if "KUBERNETES_SERVICE_HOST" not in environ:
        return None
    found = _ORDINAL.search(environ.get("POD_NAME") or environ.get("HOSTNAME", ""))
    return None if found is None else ProcessRank(launcher="Kubernetes", rank=int(found[1]))


def _number(environ: Mapping[str, str], variable: str) -> int | None:
    value = environ.get(variable, "") if variable else ""
    return int(value) if value.isascii() and value.isdecimal() else None


def writer_role(settings: Settings, environ: Mapping[str, str]) -> Role:
    """Return whether this process is the primary of its run or a worker."""
    if settings.mode != "shared":
        return Role.PRIMARY
    primary = settings.x_primary
    if primary is None:
        process = process_rank(environ)
        primary = process is None or process.rank == 0
    return Role.PRIMARY if primary else Role.WORKER


def writer_label(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the label of this process among the writers of its run; empty if it is the only one."""
    if settings.x_label is not None:
        return settings.x_label
    process = process_rank(environ)
    return "" if process is None or process.world_size == 1 else f"rank {process.rank}"


def metadata_entries(
    settings: Settings,
    environ: Mapping[str, str],
    found: Mapping[str, Any],
    of_run: Callable[[], Mapping[str, Any]] = dict,
) -> list[ConfigEntry]:
    """Return the entries that describe where this process runs: as the run's, and as the writer's in a shared run.

    A worker does not describe the run, which it may join late; ``of_run`` is called for the primary only.
    """
    if settings.x_disable_meta:
        return []
    process = process_rank(environ)
    own = {**found, **({} if process is None else process.as_metadata())}
    entries: list[ConfigEntry] = []
    if writer_role(settings, environ) is Role.PRIMARY:
        entries += [config_entry(key, value, Scope.METADATA) for key, value in {**own, **of_run()}.items()]
    if settings.mode == "shared":
        name = writer_label(settings, environ) or f"{found.get('host')}/{found.get('pid')}"
        entries.append([Scope.METADATA.value, Operation.SET.value, ["writers", name], own])
    return entries


def metadata(settings: Settings) -> dict[str, Any]:
    """Return host, program, versions, processors and GPUs, without starting a process or opening a device."""
    own = {"python": platform.python_version(), "executable": sys.executable, "program": program(), "pid": os.getpid()}
    if settings.x_disable_machine_info:
        return own
    system = os.uname()
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "os": f"{system.sysname} {system.release} {system.machine}",
        **own,
        "cpu_count": os.cpu_count(),
    }
    if models := _gpu_models(Path("/proc/driver/nvidia/gpus")):
        found["gpu"] = models[0]
        found["gpu_count"] = len(models)
        found["gpu_driver"] = gpu_driver(Path("/proc/driver/nvidia/version"))
    return found


def program() -> str:
    """Return the path of the running script, or an empty string."""
    main = sys.modules.get("__main__")
    return str(getattr(main, "__file__", None) or "")


def _gpu_models(drivers: Path) -> list[str]:
    """Return the GPU models that the kernel driver lists; opening NVML takes seconds on some machines."""
    models = []
    with contextlib.suppress(OSError):
        for device in sorted(drivers.iterdir()):
            match = _GPU_MODEL.search((device / "information").read_text())
            models.append(match.group(1) if match else "unknown")
    return models
