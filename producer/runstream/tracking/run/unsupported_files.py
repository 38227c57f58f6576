"""Methods of a run for files, models and artifacts: their signatures, and an error that says when they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runstream.exceptions import UnsupportedError
from runstream.tracking.run.properties import RunFacts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


class UnsupportedFiles(RunFacts):
    """The methods that come with files and artifacts; until then each of them raises :class:`UnsupportedError`."""

    def finish_artifact(
        self,
        artifact_or_path: Any,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - the name W&B gave it
        aliases: list[str] | None = None,
        distributed_id: str | None = None,
    ) -> Any:
        """Finish an artifact to which several processes contributed."""
        raise _unsupported("finish_artifact")

    def link_artifact(self, artifact: Any, target_path: str, aliases: list[str] | None = None) -> None:
        """Link an artifact to a portfolio."""
        raise _unsupported("link_artifact")

    def link_model(
        self,
        path: str | os.PathLike[str],
        registered_model_name: str,
        name: str | None = None,
        aliases: list[str] | None = None,
    ) -> None:
        """Log a model and link it to a registered model."""
        raise _unsupported("link_model")

    def log_artifact(
        self,
        artifact_or_path: Any,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        aliases: list[str] | None = None,
        tags: list[str] | None = None,
    ) -> Any:
        """Declare an artifact as an output of the run."""
        raise _unsupported("log_artifact")

    def log_code(
        self,
        root: str | None = ".",
        name: str | None = None,
        include_fn: Callable[..., bool] | None = None,
        exclude_fn: Callable[..., bool] | None = None,
    ) -> Any:
        """Save the code as an artifact."""
        raise _unsupported("log_code")

    def log_model(
        self, path: str | os.PathLike[str], name: str | None = None, aliases: list[str] | None = None
    ) -> None:
        """Log a model as an artifact."""
        raise _unsupported("log_model")

    @staticmethod
    def plot_table(
        vega_spec_name: str,
        data_table: Any,
        fields: dict[str, Any],
        string_fields: dict[str, Any] | None = None,
        split_table: bool | None = False,
    ) -> Any:
        """Make a plot of a table."""
        raise _unsupported("plot_table")

    def restore(
        self,
        name: str,
        run_path: str | None = None,
        replace: bool = False,
        root: str | None = None,
    ) -> Any:
        """Download a file of a run."""
        raise _unsupported("restore")

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: str | os.PathLike[str] | None = None,
        policy: str = "live",
    ) -> bool | list[str]:
        """Upload files; a disabled run keeps nothing, and returns False."""
        if self.disabled:
            return False
        raise _unsupported("save")

    def upsert_artifact(
        self,
        artifact_or_path: Any,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        aliases: list[str] | None = None,
        distributed_id: str | None = None,
    ) -> Any:
        """Contribute to an artifact that is finished later."""
        raise _unsupported("upsert_artifact")

    def use_artifact(
        self,
        artifact_or_name: Any,
        type: str | None = None,  # noqa: A002
        aliases: list[str] | None = None,
        use_as: str | None = None,
    ) -> Any:
        """Declare an artifact as an input of the run."""
        raise _unsupported("use_artifact")

    def use_model(self, name: str) -> str:
        """Download a model."""
        raise _unsupported("use_model")


def _unsupported(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"run.{name}() comes with files and artifacts, which this version of Runstream does not have yet; "
        "nothing was recorded. Keep the file where it is, or store it yourself and log its path"
    )
