"""Methods of a run for files, models and artifacts, which are not supported yet.

Each has the signature of W&B and raises :class:`UnsupportedError`; :class:`Run` assigns them to its names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.exceptions import UnsupportedError

if TYPE_CHECKING:
    import os
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
    raise _unsupported("finish_artifact")


def link_artifact(self: Any, artifact: Any, target_path: str, aliases: list[str] | None = None) -> None:
    """Link an artifact to a portfolio."""
    raise _unsupported("link_artifact")


def link_model(
    self: Any,
    path: str | os.PathLike[str],
    registered_model_name: str,
    name: str | None = None,
    aliases: list[str] | None = None,
) -> None:
    """Log a model and link it to a registered model."""
    raise _unsupported("link_model")


def log_artifact(
    self: Any,
    artifact_or_path: Any,
    name: str | None = None,
    type: str | None = None,
    aliases: list[str] | None = None,
    tags: list[str] | None = None,
) -> Any:
    """Declare an artifact as an output of the run."""
    raise _unsupported("log_artifact")


def log_code(
    self: Any,
    root: str | None = ".",
    name: str | None = None,
    include_fn: Callable[..., bool] | None = None,
    exclude_fn: Callable[..., bool] | None = None,
) -> Any:
    """Save the code as an artifact."""
    raise _unsupported("log_code")


def log_model(
    self: Any, path: str | os.PathLike[str], name: str | None = None, aliases: list[str] | None = None
) -> None:
    """Log a model as an artifact."""
    raise _unsupported("log_model")


def plot_table(
    vega_spec_name: str,
    data_table: Any,
    fields: dict[str, Any],
    string_fields: dict[str, Any] | None = None,
    split_table: bool | None = False,
) -> Any:
    """Make a plot of a table."""
    raise _unsupported("plot_table")


def restore(self: Any, name: str, run_path: str | None = None, replace: bool = False, root: str | None = None) -> Any:
    """Download a file of a run."""
    raise _unsupported("restore")


def save(
    self: Any,
    glob_str: str | os.PathLike[str] | None = None,
    base_path: str | os.PathLike[str] | None = None,
    policy: str = "live",
) -> bool | list[str]:
    """Upload files. A disabled run uploads nothing and returns False."""
    if self.disabled:
        return False
    raise _unsupported("save")


def upsert_artifact(
    self: Any,
    artifact_or_path: Any,
    name: str | None = None,
    type: str | None = None,
    aliases: list[str] | None = None,
    distributed_id: str | None = None,
) -> Any:
    """Contribute to an artifact that is finished later."""
    raise _unsupported("upsert_artifact")


def use_artifact(
    self: Any,
    artifact_or_name: Any,
    type: str | None = None,
    aliases: list[str] | None = None,
    use_as: str | None = None,
) -> Any:
    """Declare an artifact as an input of the run."""
    raise _unsupported("use_artifact")


def use_model(self: Any, name: str) -> str:
    """Download a model."""
    raise _unsupported("use_model")


def _unsupported(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"run.{name}() is not supported yet, like all of files and artifacts; nothing was recorded. "
        "Store the file yourself and log its path"
    )
