"""Libraries that import wandb, unchanged, with the real stack: those that depend on torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integrations.scripts import execute, rows, run_of, stored, values
from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

pytestmark = pytest.mark.integrations


def test_transformers(stack: Stack, tmp_path: Path) -> None:
    """The Trainer logs its global step, its whole config, and its totals as summary."""
    run = run_of("train_transformers", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert run.name == "tiny-bert"
    assert [(row["train/global_step"], "train/loss" in row, "eval/loss" in row) for row in rows(run)[:5]] == [
        (2, True, False),
        (3, False, True),
        (4, True, False),
        (6, True, False),
        (6, False, True),
    ]
    assert len(run.config) > 100
    assert run.config["hidden_size"] == 16
    assert run.config["learning_rate"] == 1e-3
    assert run.config["model/num_parameters"] > 0
    assert run.summary["train_loss"] > 0
    assert run.summary["train/global_step"] == 6
    assert {metric["name"]: metric["step_metric"] for metric in run.metrics}["*"] == "train/global_step"


def test_transformers_watches_with_wandb_watch(stack: Stack, tmp_path: Path) -> None:
    """Every hundredth pass logs histograms of gradients and parameters."""
    run = run_of("train_transformers", "101", stack=stack, run_id=new_id(), folder=tmp_path, WANDB_WATCH="all")

    assert run.state == "finished"
    assert run.summary["train/global_step"] == 101
    assert len(values(run, "gradients/classifier.weight")) == 1
    assert values(run, "parameters/classifier.weight")


def test_lightning(stack: Stack, tmp_path: Path) -> None:
    """WandbLogger logs the trainer's step, hyperparameters as config, and histograms with ``watch``."""
    run = run_of("train_lightning", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert (run.name, run.tags, run.config) == ("line", ["lightning"], {"rate": 0.1})
    assert len(values(run, "loss")) == 4
    assert [row["trainer/global_step"] for row in rows(run) if "loss" in row] == [1, 3, 5, 7]
    assert [row["trainer/global_step"] for row in rows(run) if "val_loss" in row] == [3, 7]
    assert values(run, "gradients/layer.weight")
    assert {metric["name"]: metric["step_metric"] for metric in run.metrics}["*"] == "trainer/global_step"


def test_accelerate(stack: Stack, tmp_path: Path) -> None:
    """The tracker logs steps, config, tags and notes."""
    run = run_of("train_accelerate", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert (run.config, run.tags, run.notes) == ({"lr": 0.1, "depth": 2}, ["accelerate"], "by Accelerate")
    assert [(row["_step"], row["loss"] > 0) for row in run.scan_history()] == [(step, True) for step in (0, 10, 20, 30)]


def test_ignite(stack: Stack, tmp_path: Path) -> None:
    """The handlers log at the engine's steps; values of one step are one row."""
    run = run_of("train_ignite", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert (run.name, run.tags, run.config) == ("line", ["ignite"], {"lr": 0.1})
    steps = {
        key: [row["_step"] for row in run.scan_history() if key in row] for key in ("training/loss", "validation/mse")
    }
    assert steps == {"training/loss": [2, 4, 6, 8], "validation/mse": [4, 8]}
    assert run.summary["parameters"] == 3
    assert values(run, "gradients/weight")


def test_keras(stack: Stack, tmp_path: Path) -> None:
    """Epochs and batches have separate rows and x axes, with learning rates; checkpoints are saved locally."""
    run = run_of("train_keras", stack=stack, run_id=new_id(), folder=tmp_path, KERAS_BACKEND="torch")

    assert run.state == "finished"
    assert values(run, "epoch/epoch") == [0, 1, 2]
    assert len(values(run, "epoch/val_loss")) == 3
    assert values(run, "epoch/learning_rate") == pytest.approx([0.01] * 3)
    assert values(run, "batch/batch_step") == [0, 2, 4, 6, 8, 10]
    assert len(values(run, "batch/mae")) == 6
    assert (tmp_path / "model.keras").exists()
    assert {metric["name"]: metric["step_metric"] for metric in run.metrics} == {
        "epoch/epoch": None,
        "epoch/*": "epoch/epoch",
        "batch/batch_step": None,
        "batch/*": "batch/batch_step",
    }


def test_stable_baselines3(stack: Stack, tmp_path: Path) -> None:
    """Metrics written to TensorBoard are rows, attributes of the model are config, and gradients are histograms."""
    run = run_of("train_sb3", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert run.config["env"] == "CartPole-v1"
    assert run.config["algo"] == "PPO"
    assert run.config["n_steps"] == 64
    assert values(run, "global_step") == [64, 128, 192, 256]
    assert len(values(run, "train/loss")) == 3
    assert [key for row in rows(run) for key in row if key.startswith("gradients/")]
    assert (tmp_path / "models" / "model.zip").exists()


def test_torchrun(stack: Stack, tmp_path: Path) -> None:
    """The processes started by torchrun use Runstream too, and log to the same run."""
    run_id = new_id()

    status, output = execute(
        "train_torchrun",
        stack=stack,
        run_id=run_id,
        folder=tmp_path,
        launcher=["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
    )

    assert status == 0, output
    run = stored(stack, run_id)
    assert run.state == "finished"
    assert values(run, "loss/0") == values(run, "loss/1") == [0, 1, 2]
    assert sorted(values(run, "total")) == [1, 1, 3, 3, 5, 5]
    assert {writer["label"] for writer in run.writers if writer["role"] != "shipper"} == {"rank-0", "rank-1"}
