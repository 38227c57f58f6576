"""Libraries that import wandb, unchanged, with the real stack: those that depend on torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integrations.scripts import artifacts_of, execute, files_of, rows, run_artifact, run_of, stored, values
from tests.polling import eventually
from tests.trainers import new_id

if TYPE_CHECKING:
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


@pytest.mark.parametrize(
    ("choice", "aliases"),
    [
        ("end", ["base_model", "final_model"]),
        ("checkpoint", ["base_model", "checkpoint_global_step_4", "final_model"]),
    ],
)
def test_transformers_logs_models(stack: Stack, tmp_path: Path, choice: str, aliases: list[str]) -> None:
    """WANDB_LOG_MODEL uploads the model at the end, or each checkpoint too; what is downloaded is a model."""
    run = run_of("train_transformers", "4", stack=stack, run_id=new_id(), folder=tmp_path, WANDB_LOG_MODEL=choice)

    found = artifacts_of(run, len(aliases))
    for alias in aliases:
        assert [name for name, (_, ours) in found.items() if alias in ours], (alias, found)
    final = next(name for name, (_, ours) in found.items() if "final_model" in ours)
    downloaded = Path(run_artifact(run, final).download(str(tmp_path / "down")))
    assert {"config.json", "model.safetensors", "model_architecture.txt"} <= {
        file.name for file in downloaded.iterdir()
    }
    assert run_artifact(run, final).metadata["final_model"] is True


def test_a_model_of_transformers_predicts_the_same_in_another_process(stack: Stack, tmp_path: Path) -> None:
    """One process logs a model with ``log_model()``, another one uses it and gets equal outputs."""
    logged = run_of("model_transformers", "log", stack=stack, run_id=new_id(), folder=tmp_path)
    name = next(iter(artifacts_of(logged, 1)))
    used = run_of("model_transformers", name, stack=stack, run_id=new_id(), folder=tmp_path)

    assert used.summary["predictions"] == logged.summary["predictions"]
    assert len(used.summary["predictions"]) == 2
    eventually(lambda: [one.name for one in used.used_artifacts()] == [name], within=120)


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


@pytest.mark.parametrize(("choice", "checkpoints"), [("all", 2), ("True", 1)])
def test_lightning_logs_models_and_media(stack: Stack, tmp_path: Path, choice: str, checkpoints: int) -> None:
    """Checkpoints are versions of an artifact that another run loads; images, sounds and tables are in rows."""
    run = run_of("train_lightning", choice, stack=stack, run_id=new_id(), folder=tmp_path)

    found = artifacts_of(run, checkpoints)
    assert sorted(found) == [f"model-{run.id}:v{version}" for version in range(checkpoints)]
    assert found[f"model-{run.id}:v{checkpoints - 1}"] == ("model", {"latest", "best"})
    used = run_of("train_lightning", f"use=model-{run.id}:latest", stack=stack, run_id=new_id(), folder=tmp_path)
    assert values(used, "sum")[0] == pytest.approx(2, abs=1.5)
    images, table = values(run, "images")[0], values(run, "table")[0]
    assert (images["count"], images["captions"]) == (2, ["color", "gray"])
    assert table["nrows"] == 2
    assert values(run, "sounds")[0]["count"] == 1
    files_of(run, *images["filenames"], table["path"])


def test_accelerate(stack: Stack, tmp_path: Path) -> None:
    """The tracker logs steps, config, tags and notes, images and tables."""
    run = run_of("train_accelerate", stack=stack, run_id=new_id(), folder=tmp_path)

    assert run.state == "finished"
    assert (run.config, run.tags, run.notes) == ({"lr": 0.1, "depth": 2}, ["accelerate"], "by Accelerate")
    found = [*run.scan_history()]
    assert [(row["_step"], row["loss"] > 0) for row in found[:4]] == [(step, True) for step in (0, 10, 20, 30)]
    images, table = found[4]["samples"], found[4]["losses"]
    assert (images["_type"], images["count"], images["width"], images["height"]) == ("images/separated", 2, 6, 8)
    assert (table["_type"], table["nrows"], table["ncols"]) == ("table-file", 2, 2)
    sizes = files_of(run, *images["filenames"], table["path"])
    assert all(sizes[name] > 0 for name in (*images["filenames"], table["path"]))


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
    assert files_of(run, "model.pt")["model.pt"] > 0


def test_keras(stack: Stack, tmp_path: Path) -> None:
    """Epochs and batches have separate rows and x axes, with learning rates; checkpoints and tables are artifacts."""
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
    found = artifacts_of(run, 7)
    models = [found[f"run_{run.id}_model:v{version}"] for version in range(3)]
    assert models == [("model", {f"epoch_{epoch}", *(["latest"] * (epoch == 2))}) for epoch in range(3)]
    predictions = run_artifact(run, f"run_{run.id}_pred:v2").get("eval_data")
    assert predictions.columns == ["epoch", "sample", "predicted"]
    assert [row[0] for row in predictions.data] == [2, 2]
    assert [image.image.size for _, image, _ in predictions.data] == [(2, 2)] * 2
    assert [one.type for one in run.used_artifacts()] == ["dataset"]


def test_the_old_callback_of_keras(stack: Stack, tmp_path: Path) -> None:
    """It logs the best model, the graph of the model, weights, examples and a table of predictions."""
    run = run_of("train_keras_callback", stack=stack, run_id=new_id(), folder=tmp_path, KERAS_BACKEND="torch")

    assert run.state == "finished"
    assert values(run, "epoch") == [0, 1]
    assert run.summary["best_val_loss"] == min(values(run, "val_loss"))
    assert values(run, "parameters/dense.weights")
    assert [key for row in rows(run) for key in row if key.startswith("gradients/")]
    examples = values(run, "examples")[0]
    assert (examples["_type"], examples["count"]) == ("images/separated", 3)
    assert {*examples["captions"]} <= {"low", "high"}
    assert run.summary["validation_predictions"]["ncols"] == 6
    graph = run.file(run.summary["graph"]["path"])
    with graph.download(str(tmp_path / "down")) as file:
        nodes = json.load(file)
    assert [node["class_name"] for node in nodes["nodes"]] == ["Flatten", "InputLayer", "Dense"]
    assert ["flatten", "dense"] in nodes["edges"]
    assert files_of(run, "model-best.keras")["model-best.keras"] > 0
    assert {kind for kind, _ in artifacts_of(run, 1).values()} == {"model"}


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
    assert files_of(run, "model.zip")["model.zip"] == (tmp_path / "models" / "model.zip").stat().st_size


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
