"""Imports into the real stack: what readers get is what the source has, once, whatever happened to the import."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from runstream.importing import tensorboard
from runstream.importing.mlflow import source as mlflow
from runstream.importing.names import valid_name
from runstream.importing.neptune import source as neptune
from runstream.importing.records import Config, Content, Ending, Line, Row, SourceRun, StoredFile
from runstream.public_api.api import Api
from tests.neptune_files import all_kinds
from tests.neptune_files import write as write_neptune
from tests.polling import eventually
from tests.trainers import command, new_id
from tests.unit.importing.imports import DATA
from tests.unit.importing.test_mlflow import database
from tests.unit.importing.test_tensorboard import write as write_events
from tests.wandb_files import exit_record, framed, item, message, row_record, run_record

if TYPE_CHECKING:
    from pathlib import Path

    from runstream.public_api.run import Run
    from tests.running_stack import Stack


@pytest.fixture
def project() -> str:
    """Return the name of a project that no other test uses."""
    return f"imports-{new_id()}"


@pytest.fixture
def api(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return the public API of the stack."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return Api()


def rows_of(run: Run) -> list[dict[str, Any]]:
    """Return the rows without the keys that every row has, but with the step."""
    meta = {"_timestamp", "_runtime", "_writer", "_late"}
    return [{key: value for key, value in row.items() if key not in meta} for row in run.scan_history()]


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as text, for NaN, in an order that does not depend on theirs or that of their keys."""
    return sorted(str(sorted(row.items())) for row in rows)


def complete(api: Api, path: str) -> Run:
    """Return a run once everything of it has arrived."""
    run = api.run(path)
    eventually(lambda: run.delivery["complete"])
    run.load(force=True)
    return run


def test_runs_of_wandb(stack: Stack, api: Api, project: str, tmp_path: Path) -> None:
    """Everything that a script logged with W&B is what readers get; a second import changes nothing."""
    arguments = ("import", "wandb", DATA / "wandb", "--project", project, "--dir", tmp_path, "--json")
    first = json.loads(command(*arguments, environment=stack.environment, status=3))
    run = complete(api, f"{project}/kinds")
    before = rows_of(run)

    second = json.loads(command(*arguments, environment=stack.environment))
    shutil.rmtree(tmp_path / "runstream")  # as on another machine
    third = json.loads(command(*arguments, environment=stack.environment))

    assert [one["status"] for one in first["runs"]] == ["imported"] * 4
    assert [one["not_imported"] for one in first["runs"]][1:] == [[], [], []]
    assert "is not on this machine" in first["runs"][0]["not_imported"][0]["reason"]
    assert {one["status"] for one in (*second["runs"], *third["runs"])} == {"already imported"}
    run = complete(api, f"{project}/kinds")
    assert ordered(rows_of(run)) == ordered(before)
    assert [row["_step"] for row in rows_of(run)] == [*range(11), 100]
    assert rows_of(run)[4] == {
        "_step": 4, "loss": 0.2, "nested": {"a": 4, "b": {"c": 8}}, "bad": 2, "val/acc": 0.2, "epoch": 0,
    }  # fmt: skip
    assert (run.state, run.name, run.notes, run.group, run.job_type) == (
        "finished", "all kinds", "some notes", "g", "train",
    )  # fmt: skip
    assert run.config == {"lr": 0.1, "model": {"layers": [1, 2], "act": "relu"}, "later": 7}
    assert run.tags == ["a", "b"]
    summary = run.summary
    assert (summary["best"], summary["deep"], summary["loss"], summary["epoch"]) == (3, {"key": 1}, 5, 1)
    assert summary["val/acc"] == {"max": 0.45}
    assert [line["text"] for line in run.console()] == [f"line {number}" for number in range(10)]
    assert [alert["title"] for alert in run.alerts] == ["low accuracy"]
    assert {file.name: file.state for file in run.files()} == {summary["img"]["path"]: "stored", "output.log": "stored"}
    assert run.created_at[:2] == "20"
    assert (run.duration or 0) < 60
    assert api.run(f"{project}/failed").state == "failed"
    resumed = complete(api, f"{project}/resumed")
    assert [row["loss"] for row in rows_of(resumed)] == [*range(10)]
    assert resumed.config == {"part": 1}


def test_an_import_that_is_killed_goes_on(stack: Stack, api: Api, project: str, tmp_path: Path) -> None:
    """After a kill in the middle, the next import has every row of every run once; a changed source replaces them."""
    source, rows = tmp_path / "wandb", 300
    for number in range(12):
        path = source / f"run-{number}" / f"run-r{number}.wandb"
        path.parent.mkdir(parents=True)
        records = [row_record(step, loss=step + number) for step in range(rows)]
        path.write_bytes(framed([run_record(f"r{number}", lr=number), *records, exit_record()]))
    arguments = ["import", "wandb", str(source), "--project", project, "--dir", str(tmp_path)]
    journal = tmp_path / "runstream" / "imports.jsonl"
    environment = {**os.environ, **stack.environment}
    with subprocess.Popen(
        [sys.executable, "-m", "runstream.cli.main", *arguments], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        eventually(lambda: journal.exists() and journal.read_text().count('"delivered": true') >= 2, within=60)
        process.send_signal(signal.SIGKILL)

    command(*arguments, environment=stack.environment)

    for number in range(12):
        run = complete(api, f"{project}/r{number}")
        assert rows_of(run) == [{"_step": step, "loss": step + number} for step in range(rows)]
        assert (run.config, run.state, run.summary["loss"]) == ({"lr": number}, "finished", rows - 1 + number)
    assert not list((tmp_path / "runstream").glob("run-*"))

    path = source / "run-0" / "run-r0.wandb"
    longer = [row_record(step, loss=-step) for step in range(rows + 5)]
    line = message({13: {1: 1, 2: {1: 1_700_000_100}, 3: "one line\n"}})
    path.write_bytes(framed([run_record("r0", lr=5), *longer, line, exit_record(1)])[:-3])
    output = command(*arguments, environment=stack.environment, status=3)

    assert "damaged: run-r0.wandb" in output
    run = complete(api, f"{project}/r0")
    eventually(lambda: len(rows_of(run)) == rows + 5)
    assert rows_of(run) == [{"_step": step, "loss": -step} for step in range(rows + 5)]
    assert (run.config, run.state, run.summary["loss"]) == ({"lr": 5}, "crashed", -(rows + 4))
    assert [line["text"] for line in run.console()] == ["one line"]


def test_a_run_that_was_logged_here_is_not_imported_over(stack: Stack, api: Api, project: str, tmp_path: Path) -> None:
    """A run with the id of one that was logged, or deleted, is not imported, with the reason; --project helps."""
    run_id = new_id()
    script = f"import runstream; runstream.init(project={project!r}, id={run_id!r}).log({{'a': 1}})"
    environment = {**os.environ, **stack.environment}
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, check=True, capture_output=True)
    complete(api, f"{project}/{run_id}")
    (tmp_path / "run.wandb").write_bytes(framed([run_record(run_id, project), message({2: {1: [item(2, "a")]}})]))
    arguments = ("import", "wandb", tmp_path / "run.wandb", "--dir", tmp_path)

    output = command(*arguments, environment=stack.environment, status=1)
    command(*arguments, "--project", f"{project}-2", environment=stack.environment, status=0)

    assert f"the run {project}/{run_id} exists and was not imported: use --project" in output
    assert rows_of(api.run(f"{project}/{run_id}")) == [{"_step": 0, "a": 1}]
    imported = complete(api, f"{project}-2/{run_id}")
    assert rows_of(imported) == [{"_step": 0, "a": 2}]

    imported.delete()
    shutil.rmtree(tmp_path / "runstream")  # with the journal
    output = command(*arguments, "--project", f"{project}-2", environment=stack.environment, status=0)

    assert "left out (it was deleted, and its id cannot be used again" in output


def test_runs_of_other_trackers(stack: Stack, api: Api, project: str, tmp_path: Path) -> None:
    """What readers get of runs of MLflow, TensorBoard and Neptune is what the source has, once."""
    (tmp_path / "mlflow").mkdir()
    stores: dict[str, tuple[Any, ...]] = {
        "mlflow": (str(database(tmp_path / "mlflow")), str(DATA / "mlflow" / "mlruns")),
        "tensorboard": (tmp_path / "logs",),
        "neptune": (tmp_path / "data",),
    }
    write_events(tmp_path / "logs" / "a")
    write_neptune(tmp_path / "data", "RUN-1", all_kinds())
    found = [*mlflow.find_runs(stores["mlflow"]), *tensorboard.find_runs(stores["tensorboard"])]
    found += neptune.find_runs(stores["neptune"])
    runs = [run for run in found if isinstance(run, SourceRun)]

    for repetition in range(2):
        for tracker, places in stores.items():
            more = ("--project", project, "--dir", tmp_path)
            status = 3 if repetition == 0 and tracker != "mlflow" else 0
            command("import", tracker, *places, *more, environment=stack.environment, status=status)

    assert len(runs) == 8
    for run in runs:
        stored = complete(api, f"{project}/{valid_name('run id', run.run_id)}")
        records = list(run.records())
        rows = [{"_step": record.step, **record.values} for record in records if isinstance(record, Row)]
        assert ordered(rows_of(stored)) == ordered(rows)
        config = {
            key: value for record in records if isinstance(record, Config) for (key,), value in record.values.items()
        }
        assert stored.config == config
        assert stored.state == next(record.state.value for record in records if isinstance(record, Ending))
        files = {record.name for record in records if isinstance(record, StoredFile | Content)}
        assert {file.name for file in stored.files() if file.state == "stored"} == files
        lines = [record.text for record in records if isinstance(record, Line)]
        assert [line["text"] for line in stored.console()] == lines
