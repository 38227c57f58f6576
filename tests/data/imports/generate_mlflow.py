"""Records the MLflow runs of this folder again: ``python generate_mlflow.py FOLDER``, with mlflow and SQLAlchemy.

The database is kept as SQL, without the tables that an import does not read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

STORE = Path("/tmp/runs")
TABLES = ("experiments", "experiment_tags", "runs", "metrics", "params", "tags", "alembic_version")


def record(uri: str, artifacts: str | None) -> None:
    """Record runs in a store, with their artifacts below a URI, or in the folders of the runs."""
    mlflow = import_module("mlflow")  # not installed where the tests run

    mlflow.set_tracking_uri(uri)
    client: Any = mlflow.MlflowClient()
    experiment = client.create_experiment("my/experiment", artifact_location=artifacts)
    tags = {"mlflow.runName": "first run", "mlflow.note.content": "some notes", "mlflow.user": "me", "team": "vision",
            "mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc123"}  # fmt: skip
    run = client.create_run(experiment, start_time=1_700_000_000_000, tags=tags)
    params: dict[str, str] = {
        "lr": "0.1",
        "epochs": "10",
        "use_bias": "True",
        "layers": "[1, 2]",
        "name": "resnet",
        "nothing": "None",
    }
    for key, text in params.items():
        client.log_param(run.info.run_id, key, text)
    for step in range(10):
        time = 1_700_000_000_000 + step * 1000
        client.log_metric(run.info.run_id, "train/loss", 1 / (step + 1), time, step)
        if step % 2 == 0:
            client.log_metric(run.info.run_id, "val/acc", step / 10, time + 1, step)
    for index, value in enumerate((float("nan"), float("inf"), float("-inf"), 1.5)):
        client.log_metric(run.info.run_id, "odd", value, 1_700_000_020_000 + index, 0)
    client.log_metric(run.info.run_id, "system/cpu_utilization_percentage", 12.5, 1_700_000_005_000, 0)
    client.log_text(run.info.run_id, "weights\n", "model/weights.txt")
    client.set_terminated(run.info.run_id, "FINISHED", 1_700_000_030_000)
    failed = client.create_run(experiment, start_time=1_700_000_100_000, tags={"mlflow.parentRunId": run.info.run_id})
    client.log_metric(failed.info.run_id, "x", 1.0, 1_700_000_100_000, 0)
    client.set_terminated(failed.info.run_id, "FAILED", 1_700_000_101_000)
    client.create_run(experiment, start_time=1_700_000_200_000)  # still runs
    deleted = client.create_run(experiment, start_time=1_700_000_300_000)
    client.delete_run(deleted.info.run_id)


def dump(path: Path, target: Path) -> None:
    """Write the tables that are read as SQL."""
    database = sqlite3.connect(path)
    lines = []
    for table in TABLES:
        (schema,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        lines.append(f"{schema};")
    beginnings = tuple(f'INSERT INTO "{table}"' for table in TABLES)
    lines += [line for line in database.iterdump() if line.startswith(beginnings)]
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    shutil.rmtree(STORE, ignore_errors=True)
    STORE.mkdir()
    kept = Path(sys.argv[1]).absolute()
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    os.chdir(STORE)
    record(f"sqlite:///{STORE}/mlflow.db", (STORE / "artifacts").as_uri())
    dump(STORE / "mlflow.db", kept / "mlflow.sql")
    shutil.copytree(STORE / "artifacts", kept / "artifacts")
    record((STORE / "mlruns").as_uri(), None)
    shutil.copytree(STORE / "mlruns", kept / "mlruns")
