"""Methods of :class:`Run` that need little of it; it assigns them to its names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from runstream.terminal.page_frame import frame_html
from runstream.terminal.terminal import is_notebook, show_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from runstream.tracking.run.identity import RunIdentity
    from runstream.tracking.run.run_settings import RunSettings


def names_online(self: Any) -> RunIdentity:
    """Return the names of a run, for their URLs; print a warning in an offline run, which has none."""
    if self.offline:
        self._backend.terminal.warn("URL not available in offline run")
    names: RunIdentity = self._names
    return names


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


def plot_table(
    vega_spec_name: str,
    data_table: Any,
    fields: dict[str, Any],
    string_fields: dict[str, Any] | None = None,
    split_table: bool | None = False,  # noqa: FBT001, FBT002 - the signature of W&B
) -> Any:
    """Return a chart of a table; arguments as of :func:`runstream.plot.plot_table`."""
    return import_module("runstream.plot").plot_table(vega_spec_name, data_table, fields, string_fields, split_table)


def display(self: Any, height: int = 420, hidden: bool = False) -> bool:  # noqa: FBT001, FBT002 - the signature of W&B
    """Display the run's page in a notebook; return whether it was displayed.

    Args:
        height: Height of the frame in pixels.
        hidden: Show a button that opens the frame.
    """
    url = _page(self)
    if url is None or not is_notebook():
        return False
    return show_html(frame_html(url, self.name or self.id, height, hidden=hidden), plain=url)


def to_html(self: Any, height: int = 420, hidden: bool = False) -> str:  # noqa: FBT001, FBT002
    """Return HTML with the run's page in a frame; arguments as for ``display()``."""
    url = _page(self)
    return frame_html(url, (url and self.name) or self.id, height, hidden=hidden)


def _page(run: Any) -> str | None:
    return None if run.offline or run.disabled else cast("str | None", run.url)


def copied_settings(self: Any) -> RunSettings:
    """A copy of the settings in force, and what follows from the run; frozen."""
    from runstream.tracking.run.run_settings import settings_of  # noqa: PLC0415 - imports pydantic

    return settings_of(self, self._settings)


def run_folder(self: Any) -> str:
    """The run folder."""
    return copied_settings(self).sync_dir


def warn_deprecated(self: Any, name: str, instead: str) -> None:
    """Print that a name is deprecated, and what to use instead."""
    self._backend.terminal.warn(f"run.{name} is deprecated; use {instead} instead")


def project_name(self: Any) -> str:
    """Return the project. Deprecated."""
    warn_deprecated(self, "project_name()", "project")
    return str(self.project)


def get_url(self: Any) -> str | None:
    """Return the URL of the run's page. Deprecated."""
    warn_deprecated(self, "get_url()", "url")
    return cast("str | None", self.url)


def get_project_url(self: Any) -> str | None:
    """Return the URL of the project's page. Deprecated."""
    warn_deprecated(self, "get_project_url()", "project_url")
    return cast("str | None", self.project_url)


def get_sweep_url(self: Any) -> str | None:
    """Return the URL of the sweep's page. Deprecated."""
    warn_deprecated(self, "get_sweep_url()", "sweep_url")
    return cast("str | None", self.sweep_url)


def join(self: Any, exit_code: int | None = None) -> None:
    """Finish the run. Deprecated."""
    warn_deprecated(self, "join()", "finish()")
    self.finish(exit_code)
