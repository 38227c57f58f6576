"""The run that an integration logs to, and what several integrations log."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import runstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def active_run(name: str) -> runstream.Run:
    """Return the active run; raises Error, which names the integration, if no run is active."""
    if runstream.run is None:
        raise runstream.Error(f"No active run: call runstream.init() before {name}")
    return runstream.run


def log_importance(run: runstream.Run, importance: Iterable[tuple[str, Any]]) -> None:
    """Log a chart of the importance of each feature; it becomes part of the next row."""
    table = runstream.Table(columns=["Feature", "Importance"], data=[list(row) for row in importance])
    title = "Feature Importance"
    run.log({title: runstream.plot.bar(table, "Feature", "Importance", title=title)}, commit=False)


def log_model_file(run: runstream.Run, name: str, save: Callable[[str], object]) -> None:
    """Log a model as an artifact; ``save`` writes it to a path."""
    with tempfile.TemporaryDirectory(prefix="runstream-model-") as folder:
        save(path := os.path.join(folder, name))  # noqa: PTH118 - libraries expect a string
        run.log_model(path, name)
