"""``run.watch()`` and ``run.unwatch()``; :class:`Run` assigns them to its names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


def watch(  # noqa: PLR0917 - the signature of W&B
    self: Any,
    models: torch.nn.Module | Sequence[torch.nn.Module],
    criterion: Any = None,  # noqa: ARG001
    log: Literal["gradients", "parameters", "all"] | None = "gradients",
    log_freq: int = 1000,
    idx: int | None = None,
    log_graph: bool = False,  # noqa: FBT001, FBT002
) -> None:
    """Log histograms of a PyTorch model's gradients and parameters, and its graph.

    Args:
        models: One model, or several.
        criterion: Ignored; accepted for W&B compatibility.
        log: The histograms to log; None for no histograms.
        log_freq: Log once in so many batches.
        idx: Number of the first of the models, if there are several calls.
        log_graph: Whether to set the graph of the model in the summary.

    Raises:
        ValueError: A model is not a ``torch.nn.Module``.
    """
    if not self.disabled:
        self._watching.watch(models, log=log, log_freq=log_freq, idx=idx, log_graph=log_graph)


def unwatch(self: Any, models: torch.nn.Module | Sequence[torch.nn.Module] | None = None) -> None:
    """Remove the hooks of ``watch()`` from these models, or from all if None.

    Raises:
        ValueError: A model is not a ``torch.nn.Module``.
    """
    if not self.disabled:
        self._watching.unwatch(models)
