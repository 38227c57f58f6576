"""The runs of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from runstream.public_api.histories import combined
from runstream.public_api.run import Run
from runstream.public_api.run_parts.run_pages import RunPages
from runstream.server.api_connection import ApiConnection

#: Runs whose curves are read with one request.
_RUNS_AT_ONCE = 100


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

    def series(self, keys: Sequence[str], samples: int = 500) -> dict[str, list[dict[str, Any]]]:
        """Return the points of metrics of all runs, by the path of the run: items as those of ``Run.series``.

        Curves of up to 100 runs are read with one request. Late rows are included.

        Args:
            keys: Names of metrics, at least one.
            samples: Maximum number of points of each metric and writer, which include the extremes.
        """
        by_project: dict[tuple[str, str], list[str]] = {}
        for run in self:
            by_project.setdefault((run.entity, run.project), []).append(run.id)
        found: dict[str, list[dict[str, Any]]] = {}
        for (entity, project), ids in by_project.items():
            path = f"projects/{quote(entity, safe='')}/{quote(project, safe='')}/series"
            for start in range(0, len(ids), _RUNS_AT_ONCE):
                asked = {"run": ids[start : start + _RUNS_AT_ONCE], "keys": list(keys), "samples": samples}
                for one in self._connection.get(path, **asked)["runs"]:
                    found[f"{entity}/{project}/{one['id']}"] = one["series"]
        return found

    def upgrade_to_full(self) -> None:
        """Read what lists leave out of the documents of the runs that were read."""
        for run in self._found:
            run.load_full_data()
