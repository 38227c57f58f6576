"""Further libraries that import wandb, unchanged, with the real stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integrations.scripts import api, artifacts_of, execute, run_of, values
from tests.polling import eventually
from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

pytestmark = pytest.mark.integrations


def test_catboost(stack: Stack, tmp_path: Path) -> None:
    """The callback logs each iteration; the summary has the best one, and the model and a chart are logged."""
    run = run_of("train_catboost", stack=stack, run_id=new_id(), folder=tmp_path)

    assert values(run, "iteration@metric-period-1") == list(range(1, 11))
    assert len(values(run, "learn-Logloss")) == len(values(run, "validation-Logloss")) == 10
    assert run.config["iterations"] == 10
    assert run.summary["best_iteration"] == 9
    assert run.summary["best_score"]["validation"]["Logloss"] > 0
    assert run.summary["Feature Importance_table"]["nrows"] == 3
    assert artifacts_of(run, 1) == {f"model_{run.id}:v0": ("model", {"latest"})}


@pytest.mark.parametrize("how", ["callback", "setup"])
def test_ray_tune(stack: Stack, tmp_path: Path, how: str) -> None:
    """Each trial is a run, with its parameters as config."""
    group = new_id()
    status, output = execute("tune_ray", group, how, str(tmp_path), stack=stack, run_id="", folder=tmp_path)
    assert status == 0, output

    def trials() -> list[tuple[float, float]]:
        found = [run for run in api(stack).runs("tests") if run.group == group and run.state == "finished"]
        return sorted((run.config["lr"], len(values(run, "loss"))) for run in found) if len(found) == 2 else []

    assert eventually(trials, within=120) == [(0.1, 3), (0.2, 3)]


def test_spacy(stack: Stack, tmp_path: Path) -> None:
    """``spacy train`` logs scores and losses, and its configuration."""
    run = run_of("train_spacy", "model", stack=stack, run_id=new_id(), folder=tmp_path)

    assert values(run, "score")
    assert run.config["training"]["max_steps"] == 20


def test_langchain(stack: Stack, tmp_path: Path) -> None:
    """Each call is a trace with its inputs and outputs."""
    run = run_of("trace_langchain", stack=stack, run_id=new_id(), folder=tmp_path)

    trace = values(run, "langchain_trace")[0]
    span = json.loads(trace["root_span_dumps"])
    assert (trace["_type"], span["span_kind"], span["status_code"]) == ("wb_trace_tree", "LLM", "SUCCESS")
    assert "forty-two" in json.dumps(span["results"])
    assert values(run, "words") == [1]


def test_scikit_learn(stack: Stack, tmp_path: Path) -> None:
    """Each plot is a chart with its table."""
    run = run_of("plot_sklearn", stack=stack, run_id=new_id(), folder=tmp_path)

    assert {"roc_table", "confusion_matrix_table"} <= run.summary.keys()
    assert len(values(run, "score")) == 1


def test_skorch(stack: Stack, tmp_path: Path) -> None:
    """The callback logs the losses of each epoch."""
    run = run_of("train_skorch", stack=stack, run_id=new_id(), folder=tmp_path)

    assert len(values(run, "train_loss")) == len(values(run, "valid_loss")) == 3


def test_trl(stack: Stack, tmp_path: Path) -> None:
    """The trainer logs its loss."""
    run = run_of("train_trl", stack=stack, run_id=new_id(), folder=tmp_path)

    assert len(values(run, "train/loss")) == 2
    assert run.config["n_embd"] == 8


def test_sentence_transformers(stack: Stack, tmp_path: Path) -> None:
    """The trainer logs its loss."""
    run = run_of("train_sentences", stack=stack, run_id=new_id(), folder=tmp_path)

    assert len(values(run, "train/loss")) == 2


def test_fastai(stack: Stack, tmp_path: Path) -> None:
    """The callback logs each batch and epoch, and the arguments of the learner as config."""
    run = run_of("train_fastai", stack=stack, run_id=new_id(), folder=tmp_path)

    assert len(values(run, "train_loss")) == 8  # four batches of each epoch
    assert len(values(run, "valid_loss")) == len(values(run, "accuracy")) == 2
    assert run.summary["epoch"] == 2
    assert run.config["Learner"]["wd_bn_bias"] is False
