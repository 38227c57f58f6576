"""Runs that are selected by filters, with the client and on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from runstream.cli.main import create_app
from runstream.exceptions import CommError, UsageError
from runstream.public_api.api import Api
from runstream.public_api.exceptions import InvalidFilterError, NotFoundError
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN

if TYPE_CHECKING:
    from tests.integration.api.serving import Served

_PROJECT = "filtered"


@pytest.fixture(scope="module")
def filled(served: Served) -> Served:
    """Store four runs of one project, two of them of a sweep."""
    for number in range(4):
        writer = new_recording(f"run-{number}", project=_PROJECT, later_s=number)
        sweep = {"sweep_id": "s1"} if number % 2 else {}
        writer.start({"lr": number / 10}, name=f"name-{number}", **sweep)
        rows: list[dict[str, Any]] = [{"loss": 1.0 / (step + 1 + number), "deep": {"er": step}} for step in range(3)]
        served.store((writer.rows(rows[: number + 1]) if number < 3 else writer).exit())
    return served


@pytest.fixture
def api(filled: Served, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an Api of the server."""
    monkeypatch.setenv("RUNSTREAM_URL", filled.url)
    monkeypatch.setenv("RUNSTREAM_API_KEY", TOKEN)
    return Api({"project": _PROJECT})


def test_filters_select_and_order_runs(api: Api) -> None:
    """Values of NumPy and dates are accepted; the length is counted, slices read only the pages that they need."""
    filters = {
        "$or": [{"config.lr": {"$in": (np.float64(0.1), 0.3)}}, {"displayName": {"$regex": "-2$"}}],
        "created_at": {"$gte": datetime(2026, 1, 2, tzinfo=UTC).isoformat()},
    }
    runs = api.runs(_PROJECT, filters=filters, order="-config.lr", per_page=1)
    assert len(runs) == 3
    assert [run.id for run in runs[:2]] == ["run-3", "run-2"]
    assert [run.id for run in runs[-1:]] == ["run-1"]
    assert [run.id for run in api.runs(f"ada/{_PROJECT}", {"state": "finished"}, "")] == [f"run-{n}" for n in range(4)]
    assert len(api.runs(_PROJECT, {"state": "failed"})) == 0
    assert not api.runs("no project")


@pytest.mark.parametrize(
    ("filters", "order", "reason"),
    [
        ({"loss": 1}, "+created_at", "Unknown field 'loss'"),
        ({"config.lr": {"$around": 1}}, "+created_at", r"Unknown operator '\$around'"),
        ({"config.lr": object()}, "+created_at", "Expected numbers"),
        ({}, "loss", "Invalid order 'loss'"),
    ],
)
def test_an_invalid_filter_is_an_error_with_the_reason(api: Api, filters: Any, order: str, reason: str) -> None:
    """It is a ValueError and a CommError, as in W&B, and a UsageError."""
    for kind in (InvalidFilterError, ValueError, CommError, UsageError):
        with pytest.raises(kind, match=reason):
            list(api.runs(_PROJECT, filters=filters, order=order))


def test_histories_of_runs_are_one_table(api: Api) -> None:
    """Each format has the same rows, with the ids of the runs; runs without rows have none."""
    runs = api.runs(_PROJECT)
    rows = runs.histories(keys=["loss", "deep.er"])
    assert [row["run_id"] for row in rows] == ["run-0", "run-1", "run-1", "run-2", "run-2", "run-2"]
    frame = runs.histories(keys=["loss", "deep.er"], format="pandas")
    assert list(frame.columns) == ["_step", "deep.er", "loss", "run_id"]
    assert frame.to_dict("records") == [dict(sorted(row.items())) for row in rows]
    assert runs.histories(keys=["loss"], format="polars")["loss"].to_list() == [row["loss"] for row in rows]
    assert runs.histories(keys=["loss"], format="arrow")["run_id"].to_pylist() == [row["run_id"] for row in rows]
    assert len(api.runs("no project").histories(format="polars")) == 0
    with pytest.raises(ValueError, match="default, pandas, polars, arrow"):
        runs.histories(format="csv")  # type: ignore[arg-type]


def test_a_sweep_has_its_runs(api: Api) -> None:
    """A run names its sweep, which has the runs with its id, and the best of them."""
    sweep = api.sweep("s1")
    assert [run.id for run in sweep.runs] == ["run-1", "run-3"]
    best = sweep.best_run("-config.lr")
    assert best is not None
    assert (best.id, best.sweep_name, repr(best.sweep)) == ("run-3", "s1", f"<Sweep ada/{_PROJECT}/s1>")
    assert api.run(f"{_PROJECT}/run-0").sweep is None
    with pytest.raises(NotFoundError, match="Unknown sweep"):
        api.sweep("s2")


def test_the_command_line_accepts_the_same_filters(api: Api) -> None:
    """The option ``--filter`` has a filter as JSON, and ``--sort`` the same orders."""
    del api
    filters = json.dumps({"summary_metrics.loss": {"$lt": 0.5}})
    done = CliRunner().invoke(create_app(), ["runs", _PROJECT, "-f", filters, "--sort=-heartbeat_at", "--json"])
    assert done.exit_code == 0, done.output
    assert [run["id"] for run in json.loads(done.output)] == ["run-2", "run-1"]
