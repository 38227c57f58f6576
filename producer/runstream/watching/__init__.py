"""Watching PyTorch models: hooks that log histograms of gradients and parameters. No import of torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstream.tracking.run import Run


def watch(
    run: Run, models: Any, *, criterion: Any, log: str | None, log_freq: int, idx: int | None, log_graph: bool
) -> None:
    """Put hooks into models; see :meth:`runstream.Run.watch`."""
    raise NotImplementedError


def unwatch(run: Run, models: Any) -> None:
    """Take the hooks out again; see :meth:`runstream.Run.unwatch`."""
    raise NotImplementedError
