"""Scripts and libraries written for W&B, unchanged, with the real stack: those that are small."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integrations.scripts import PROGRAMS, api, artifacts_of, execute, rows, run_of, stored, values
from tests.polling import eventually
from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack


def test_a_script_is_tracked_unchanged(stack: Stack, tmp_path: Path) -> None:
    """The run has the config, rows, summary, name, tags and notes of a script that imports wandb."""
    run = run_of("plain_wandb", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert run.config == {"lr": 0.1, "layers": [4, 3], "batch": 8}
    assert values(run, "loss") == [4, 3, 2, 1, 2]
    assert run.summary["loss"] == {"min": 1}
    assert run.summary["accuracy"] == 0.8
    assert run.summary["best"] == 3
    assert (run.name, run.tags, run.notes) == ("renamed", ["plain"], "a plain script")


def test_importing_runstream_as_wandb_has_the_same_result(stack: Stack, tmp_path: Path) -> None:
    """The same script with ``import runstream as wandb``, run with Python, records the same run."""
    run_id = new_id()
    source = (PROGRAMS / "plain_wandb.py").read_text()
    (tmp_path / "script.py").write_text(source.replace("import wandb", "import runstream as wandb"))

    status = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**stack.environment, "WANDB_PROJECT": "tests", "WANDB_RUN_ID": run_id},
        timeout=300,
        check=False,
    ).returncode

    run = stored(stack, run_id)
    assert (status, run.state) == (0, "finished")
    assert run.config == {"lr": 0.1, "layers": [4, 3], "batch": 8}
    assert run.summary["loss"] == {"min": 1}


def test_a_failing_script_fails_as_with_python(stack: Stack, tmp_path: Path) -> None:
    """The traceback has only frames of the script, the exit status is 1, and the run is failed."""
    run_id = new_id()

    status, output = execute("plain_wandb", "--fail", stack=stack, run_id=run_id, folder=tmp_path)

    run = stored(stack, run_id)
    assert status == 1
    assert "RuntimeError: the script's own error" in output
    assert output.count('  File "') == output.count('plain_wandb.py", line') == 2
    assert run.state == "failed"
    assert len(values(run, "loss")) == 5


def test_xgboost(stack: Stack, tmp_path: Path) -> None:
    """Each iteration is a row; the summary has the best values; the model and a chart are logged."""
    run = run_of("train_xgboost", stack=stack, run_id=new_id(), folder=tmp_path)

    assert values(run, "epoch") == [0, 1, 2, 3, 4]
    assert [len(values(run, f"{data}-{metric}")) for data in ("train", "valid") for metric in ("auc", "logloss")] == [
        5
    ] * 4
    assert run.config["learner"]["objective"]["name"] == "binary:logistic"
    assert run.summary["valid-logloss"] == {"min": min(values(run, "valid-logloss"))}
    assert run.summary["valid-auc"] == {"max": max(values(run, "valid-auc"))}
    assert run.summary["valid-error@0.3"] == {"min": min(values(run, "valid-error@0.3"))}
    assert run.summary["best_iteration"] == 4
    assert run.summary["best_score"] == pytest.approx(run.summary["valid-logloss"]["min"])
    assert run.state == "finished"
    assert run.summary["Feature Importance_table"]["nrows"] > 0
    assert artifacts_of(run, 1) == {f"{run.id}_model.json:v0": ("model", {"latest"})}


def test_lightgbm(stack: Stack, tmp_path: Path) -> None:
    """Each iteration is a row; the summary has the best values; the model and a chart are logged."""
    run = run_of("train_lightgbm", stack=stack, run_id=new_id(), folder=tmp_path)

    assert values(run, "iteration") == [0, 1, 2, 3, 4]
    assert run.config["num_leaves"] == 4
    assert run.config["metric"] == ["auc", "binary_logloss"]
    assert run.summary["valid_1_binary_logloss"] == {"min": min(values(run, "valid_1_binary_logloss"))}
    assert run.summary["training_auc"] == {"max": max(values(run, "training_auc"))}
    assert run.summary["best_score"]["valid_1"].keys() == {"auc", "binary_logloss"}
    assert run.state == "finished"
    assert run.summary["Feature Importance_table"]["nrows"] == 4
    assert artifacts_of(run, 1) == {f"model_{run.id}.txt:v0": ("model", {"latest"})}


def test_optuna_logs_a_study_as_one_run(stack: Stack, tmp_path: Path) -> None:
    """Each trial is a row with its parameter and value."""
    run = run_of("study_optuna", stack=stack, run_id=new_id(), folder=tmp_path)

    found = rows(run)
    assert [row["loss"] for row in found] == pytest.approx([row["x"] ** 2 for row in found])
    assert len(found) == 3
    assert run.config["direction"] == ["MINIMIZE"]
    assert run.state == "finished"


def test_optuna_logs_each_trial_as_a_run(stack: Stack, tmp_path: Path) -> None:
    """With ``as_multirun``, each trial is a run in the group with its parameter as config and its own rows."""
    group = new_id()

    status, output = execute("study_optuna", "--many", stack=stack, run_id=group, folder=tmp_path)

    assert status == 0, output
    runs = eventually(
        lambda: [run for run in api(stack).runs("tests") if run.group == group and run.state == "finished"], within=120
    )
    eventually(lambda: len([run for run in api(stack).runs("tests") if run.group == group]) == 3, within=120)
    for run in (stored(stack, run.id) for run in runs):
        assert values(run, "loss") == [pytest.approx(run.config["x"] ** 2)]
        assert values(run, "doubled") == [pytest.approx(2 * run.config["x"] ** 2)]
