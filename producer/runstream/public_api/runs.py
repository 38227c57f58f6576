"""The runs of a project."""

from __future__ import annotations

from typing import Any, Literal

from runstream.public_api.histories import combined
from runstream.public_api.run import Run
from runstream.public_api.run_parts.run_pages import RunPages
from runstream.server.api_connection import ApiConnection


class Runs(RunPages[Run]):
    """Runs in the order of the server; pages are read as they are needed, and kept. ``len()`` reads none."""

    def __init__(self, connection: ApiConnection, *, per_page: int = 50, **conditions: Any) -> None:
        super().__init__(connection, Run, per_page=per_page, **conditions)

    def histories(
        self,
        samples: int = 500,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        format: Literal["default", "pandas", "polars", "arrow"] = "default",  # noqa: A002 - as in W&B
        stream: Literal["default", "system"] = "default",
    ) -> Any:
        """Return the sampled histories of all runs, each row with the id of its run as ``run_id``.

        Args:
            samples: Maximum number of rows of each run.
            keys: As for ``Run.history``.
            x_axis: As for ``Run.history``.
            format: ``"default"`` for a list of dicts; a pandas or polars DataFrame or an Arrow table, whose columns are
                sorted by name and have null where a row has no value.
            stream: As for ``Run.history``.

        Raises:
            ValueError: Another format.
            ImportError: The library of the format is not installed.
        """
        asked: dict[str, Any] = {"samples": samples, "keys": keys, "x_axis": x_axis, "stream": stream}
        return combined(((run.id, run.history(pandas=False, **asked)) for run in self), format)

    def upgrade_to_full(self) -> None:
        """Read what lists leave out of the documents of the runs that were read."""
        for run in self._found:
            run.load_full_data()
