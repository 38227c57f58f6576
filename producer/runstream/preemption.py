"""Whether a scheduler may take the machine away. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_preemptible(environ: Mapping[str, str]) -> bool:
    """Tell whether SIGTERM means that the machine is wanted for something else: under Slurm and Kubernetes."""
    return "SLURM_JOB_ID" in environ or "KUBERNETES_SERVICE_HOST" in environ
