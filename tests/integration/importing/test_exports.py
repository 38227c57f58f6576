"""Exports of runs and projects from the real stack: what the files have is what readers get."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tests.integration.importing.test_imports import api, complete, project  # noqa: F401 - fixtures
from tests.polling import eventually
from tests.trainers import command, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.public_api.api import Api
    from tests.running_stack import Stack

_SCRIPT = """
import sys, runstream
for number, run_id in enumerate(sys.argv[2:]):
    with runstream.init(project=sys.argv[1], id=run_id, config={"lr": number, "model": {"layers": 2}}) as run:
        for step in range(20):
            run.log({"loss": step / 4 if step % 3 else step, "nested": {"a": step}, "text": "é" if step == 5 else "x"})
run = runstream.init(project=sys.argv[1], id=sys.argv[2] + "-open")
run.log({"loss": 1})
print("logged", flush=True)
sys.stdin.read()
"""


def test_rows_config_and_summary_are_exported(stack: Stack, api: Api, project: str, tmp_path: Path) -> None:  # noqa: F811 - fixtures
    """A run is a file, a project a folder; a run that still runs is exported up to now, and again the next time."""
    ids = [new_id() for _ in range(2)]
    environment = {**os.environ, **stack.environment}
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, project, *ids],
        env=environment, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"logged\n"
        for run_id in ids:
            complete(api, f"{project}/{run_id}")
        still = f"{project}/{ids[0]}-open"
        eventually(
            lambda: len(list(api.runs(project))) == 3 and len(list(api.run(still).scan_history())) == 1, within=60
        )
        folder = tmp_path / "exported"

        output = command("export", project, "-o", folder, environment=stack.environment)
        command("export", f"{project}/{ids[0]}", "-f", "csv", environment=stack.environment, folder=tmp_path)

        assert f"Exported 3 runs with 41 rows to {folder}" in output
        assert "is running: its 1 rows until now are exported" in output
        assert {path.name for path in (folder / "history").iterdir()} == {
            f"{ids[0]}.parquet", f"{ids[1]}.parquet", f"{ids[0]}-open.unfinished.parquet",
        }  # fmt: skip
        process.communicate()
    complete(api, still)

    again = command("export", project, "-o", folder, environment=stack.environment)

    assert f"Exported 1 runs with 1 rows to {folder}; 2 runs were exported before" in again
    assert not list((folder / "history").glob("*unfinished*"))
    rows = [*api.run(f"{project}/{ids[1]}").scan_history()]
    table = pq.read_table(folder / "history" / f"{ids[1]}.parquet")
    assert table.column_names[:5] == ["_step", "_timestamp", "_runtime", "_writer", "_late"]
    assert table.column("loss").to_pylist() == [float(row["loss"]) for row in rows]
    assert table.column("nested.a").to_pylist() == [row["nested"]["a"] for row in rows]
    assert table.column("text").to_pylist() == [row["text"] for row in rows]
    facts = json.loads(table.schema.metadata[b"runstream"])
    assert (facts["rows"], facts["complete"], facts["config"]) == (20, True, {"lr": 1, "model": {"layers": 2}})
    runs = {row["id"]: row for row in pq.read_table(folder / "runs.parquet").to_pylist()}
    assert runs[ids[1]]["config.lr"] == 1
    assert runs[ids[1]]["summary.nested.a"] == 19
    with (tmp_path / f"{ids[0]}.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [int(row["_step"]) for row in found] == [*range(20)]
    assert found[5]["text"] == "é"

    for arguments, reason in (
        ((f"{project}/{ids[0]}", "-f", "csv"), "exists: use --replace"),
        ((f"{project}/nothing",), "nothing"),
        (("no-such-project",), "no-such-project"),
        ((f"{project}/{ids[0]}", "-o", "/proc/nothing/x.parquet"), "Cannot write '/proc/nothing/x.parquet'"),
    ):
        failed = command("export", *arguments, environment=stack.environment, folder=tmp_path, status=1)
        assert reason in failed
    assert not list(tmp_path.rglob("*.partial"))
