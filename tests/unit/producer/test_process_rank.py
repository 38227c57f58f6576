"""What launchers set for a process, and its role in the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runstream.settings import Settings
from runstream.tracking.startup.writer_identity import (
    ProcessRank,
    metadata_entries,
    process_rank,
    writer_label,
    writer_role,
)
from runstream_schemas.events import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED = Settings(mode="shared", run_id="r")


@pytest.mark.parametrize(
    ("environ", "rank"),
    [
        ({}, None),
        (
            {"RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "2", "WORLD_SIZE": "8", "SLURM_PROCID": "0"},
            ProcessRank(launcher="torchrun", rank=5, local_rank=1, node=2, world_size=8),
        ),
        (
            {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_NTASKS": "4"},
            ProcessRank(launcher="Slurm", rank=3, local_rank=1, node=1, world_size=4),
        ),
        (
            {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "0", "OMPI_COMM_WORLD_SIZE": "3"},
            ProcessRank(launcher="Open MPI", rank=2, local_rank=0, world_size=3),
        ),
        (
            {"PMI_RANK": "1", "MPI_LOCALRANKID": "1", "PMI_SIZE": "2", "SLURM_PROCID": "1"},
            ProcessRank(launcher="MPI", rank=1, local_rank=1, world_size=2),
        ),
        ({"PMIX_RANK": "4"}, ProcessRank(launcher="MPI", rank=4)),
        ({"HOROVOD_RANK": "6", "HOROVOD_SIZE": "8"}, ProcessRank(launcher="Horovod", rank=6, world_size=8)),
        ({"MV2_COMM_WORLD_RANK": "7"}, ProcessRank(launcher="MVAPICH", rank=7)),
        ({"JOB_COMPLETION_INDEX": "9"}, ProcessRank(launcher="Kubernetes", rank=9)),
        ({"LWS_WORKER_INDEX": "1", "LWS_GROUP_SIZE": "2"}, ProcessRank(launcher="Kubernetes", rank=1, world_size=2)),
        ({"POD_INDEX": "2"}, ProcessRank(launcher="Kubernetes", rank=2)),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-3"}, ProcessRank(launcher="Kubernetes", rank=3)),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "POD_NAME": "t-1", "HOSTNAME": "x-9"},
            ProcessRank(launcher="Kubernetes", rank=1),
        ),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-7d9f8-24567"}, None),
        ({"HOSTNAME": "train-3"}, None),
        ({"LOCAL_RANK": "2"}, ProcessRank(launcher="torchrun", rank=2, local_rank=2)),
        ({"RANK": "one", "SLURM_PROCID": ""}, None),
    ],
)
def test_the_first_launcher_with_a_rank_applies(environ: Mapping[str, str], rank: ProcessRank | None) -> None:
    """Each launcher has its own variables; values that are not numbers are ignored."""
    assert process_rank(environ) == rank


@pytest.mark.parametrize(
    ("settings", "environ", "role", "label"),
    [
        ({}, {}, Role.PRIMARY, ""),
        ({}, {"RANK": "1"}, Role.WORKER, "rank 1"),
        ({}, {"RANK": "0", "WORLD_SIZE": "1"}, Role.PRIMARY, ""),
        ({"x_primary": True}, {"RANK": "1"}, Role.PRIMARY, "rank 1"),
        ({"x_primary": False}, {}, Role.WORKER, ""),
        ({"x_label": "loader"}, {"RANK": "1"}, Role.WORKER, "loader"),
        ({"mode": "online"}, {"RANK": "1"}, Role.PRIMARY, "rank 1"),
    ],
)
def test_rank_0_is_the_primary_of_a_shared_run(
    settings: Mapping[str, Any], environ: Mapping[str, str], role: Role, label: str
) -> None:
    """A setting can override it; all processes of a run that is not shared are primaries."""
    found = SHARED.model_copy(update=dict(settings))
    assert (writer_role(found, environ), writer_label(found, environ)) == (role, label)


def test_metadata_of_a_worker_are_below_its_label() -> None:
    """They do not replace the metadata of the run, which are those of the primary."""
    entries = metadata_entries(SHARED, {"RANK": "3", "LOCAL_RANK": "1"}, {"host": "b"})
    own = {"host": "b", "launcher": "torchrun", "rank": 3, "local_rank": 1}
    assert entries == [["metadata", "set", ["writers", "rank 3"], own]]


def test_metadata_of_a_primary_are_those_of_the_run() -> None:
    """They are also below its label if the run is shared."""
    own = {"host": "a", "launcher": "Kubernetes", "rank": 0}
    of_run = [["metadata", "set", [key], value] for key, value in own.items()]
    environ = {"POD_INDEX": "0"}

    assert metadata_entries(SHARED, environ, {"host": "a"}) == [
        *of_run,
        ["metadata", "set", ["writers", "rank 0"], own],
    ]
    assert metadata_entries(Settings(), environ, {"host": "a"}) == of_run
