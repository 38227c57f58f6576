"""Whether a scheduler may preempt this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_preemptible(environ: Mapping[str, str]) -> bool:
    """Return whether SIGTERM announces a preemption: under Slurm and Kubernetes."""
    return "SLURM_JOB_ID" in environ or "KUBERNETES_SERVICE_HOST" in environ
