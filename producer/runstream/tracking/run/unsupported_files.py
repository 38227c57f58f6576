"""Methods of a run for files, models and artifacts, which are not supported yet.

Each has the signature of W&B, does nothing but print a warning, and returns what a program can go on with; with the
setting ``strict`` it raises :class:`UnsupportedError`. :class:`Run` assigns them to its names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runstream.exceptions import UnsupportedError
from runstream.tracking.values.foreign import text_of
from runstream.unsupported_media import Artifact, CustomChart

if TYPE_CHECKING:
    from collections.abc import Callable


def finish_artifact(
    self: Any,
    artifact_or_path: Any,
    name: str | None = None,
    type: str | None = None,
    aliases: list[str] | None = None,
    distributed_id: str | None = None,
) -> Any:
    """Finish an artifact to which several processes contributed."""
    return _artifact(self, "finish_artifact", artifact_or_path, name, type)


def link_artifact(self: Any, artifact: Any, target_path: str, aliases: list[str] | None = None) -> None:
    """Link an artifact to a portfolio."""
    _leave_out(self, "link_artifact")


def link_model(
    self: Any,
    path: str | os.PathLike[str],
    registered_model_name: str,
    name: str | None = None,
    aliases: list[str] | None = None,
) -> None:
    """Log a model and link it to a registered model."""
    _leave_out(self, "link_model")


def log_artifact(
    self: Any,
    artifact_or_path: Any,
    name: str | None = None,
    type: str | None = None,
    aliases: list[str] | None = None,
    tags: list[str] | None = None,
) -> Any:
    """Declare an artifact as an output of the run."""
    return _artifact(self, "log_artifact", artifact_or_path, name, type)


def log_code(
    self: Any,
    root: str | None = ".",
    name: str | None = None,
    include_fn: Callable[..., bool] | None = None,
    exclude_fn: Callable[..., bool] | None = None,
) -> Any:
    """Save the code as an artifact."""
    return _artifact(self, "log_code", name, None, "code")


def log_model(
    self: Any, path: str | os.PathLike[str], name: str | None = None, aliases: list[str] | None = None
) -> None:
    """Log a model as an artifact."""
    _leave_out(self, "log_model")


def plot_table(
    vega_spec_name: str,
    data_table: Any,
    fields: dict[str, Any],
    string_fields: dict[str, Any] | None = None,
    split_table: bool | None = False,
) -> Any:
    """Make a plot of a table."""
    return CustomChart()


def upsert_artifact(
    self: Any,
    artifact_or_path: Any,
    name: str | None = None,
    type: str | None = None,
    aliases: list[str] | None = None,
    distributed_id: str | None = None,
) -> Any:
    """Contribute to an artifact that is finished later."""
    return _artifact(self, "upsert_artifact", artifact_or_path, name, type)


def use_artifact(
    self: Any,
    artifact_or_name: Any,
    type: str | None = None,
    aliases: list[str] | None = None,
    use_as: str | None = None,
) -> Any:
    """Declare an artifact as an input of the run."""
    return _artifact(self, "use_artifact", artifact_or_name, None, type)


def use_model(self: Any, name: str) -> str:
    """Download a model: return the path at which it would be; there is no file."""
    _leave_out(self, "use_model")
    return os.path.join(self.dir, text_of(name))  # noqa: PTH118 - W&B returns a string


def _artifact(run: Any, method: str, given: Any, name: str | None, kind: str | None) -> Any:
    """Return the artifact that was given, or a placeholder for it."""
    _leave_out(run, method)
    return given if issubclass(type(given), Artifact) else Artifact(name or text_of(given), kind or "")


def _leave_out(run: Any, method: str) -> None:
    """Warn once that a method is not supported yet; raises UnsupportedError with the setting ``strict``."""
    text = f"run.{method}() is not supported yet, like all of files and artifacts; nothing was recorded"
    if run.settings.strict:
        raise UnsupportedError(f"{text}. Store the file yourself and log its path")
    if not run.disabled:
        run._backend.terminal.warn(text)  # noqa: SLF001 - a method of the run
