"""Records the W&B runs of this folder again: ``python generate_wandb.py FOLDER``, with the package wandb installed.

The runs are recorded offline, without facts of the machine. Only the ``.wandb`` files and the media are kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

RUNS = Path("/tmp/runs")
KEPT = ("files/media", "files/output.log")


def settings(**more: Any) -> Any:
    """Return settings that record no facts of the machine."""
    import wandb  # noqa: PLC0415

    return wandb.Settings(mode="offline", x_disable_meta=True, x_disable_machine_info=True, x_save_requirements=False,
                          root_dir=str(RUNS), silent=True, disable_git=True, host="host", **more)  # fmt: skip


def record_all_kinds() -> None:
    """Record a run with all kinds of records that a script makes."""
    import numpy as np  # noqa: PLC0415
    import wandb  # noqa: PLC0415

    run = wandb.init(
        project="digits", id="kinds", name="all kinds", notes="some notes", tags=["a", "b"], group="g",
        job_type="train",
        config={"lr": 0.1, "model": {"layers": [1, 2], "act": "relu"}}, settings=settings(console="wrap"),
    )  # fmt: skip
    run.define_metric("epoch")
    run.define_metric("val/*", step_metric="epoch", summary="max")
    for step in range(10):
        not_a_number = float("nan") if step == 3 else step / 2
        run.log({"loss": 1 / (step + 1), "nested": {"a": step, "b": {"c": 2 * step}}, "bad": not_a_number,
                 "val/acc": step / 20, "epoch": step // 5})  # fmt: skip
        print(f"line {step}", flush=True)  # noqa: T201 - captured as console
    image = wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8), caption="black")
    run.log({"img": image, "hist": wandb.Histogram(np_histogram=([1, 2], [0, 1, 2])), "text": "hello"})
    run.log({"loss": 5.0, "inf": float("inf")}, step=100)
    run.alert("low accuracy", "0.45 at step 9", level=wandb.AlertLevel.WARN)
    run.summary["best"] = 3
    run.summary["deep"] = {"key": 1}
    run.config["later"] = 7
    (RUNS / "weights.txt").write_text("weights\n")
    artifact = wandb.Artifact("weights", "model", metadata={"epochs": 2})
    artifact.add_file(str(RUNS / "weights.txt"))
    run.log_artifact(artifact)
    run.finish()


def record_failed() -> None:
    """Record a run that fails."""
    import wandb  # noqa: PLC0415

    run = wandb.init(project="digits", id="failed", settings=settings(console="off"))
    run.log({"x": 1})
    run.finish(exit_code=3)


def record_resumed() -> None:
    """Record a run in two parts, of which each has its own file."""
    import wandb  # noqa: PLC0415

    for part in range(2):
        run = wandb.init(project="digits", id="resumed", config={"part": part}, settings=settings(console="off"))
        for step in range(5):
            run.log({"loss": part * 5 + step}, step=part * 5 + step)
        run.finish()
        time.sleep(1.1)  # the names of folders have seconds


def keep(target: Path) -> None:
    """Copy what is needed of the recorded runs."""
    shutil.rmtree(target, ignore_errors=True)
    for folder in sorted((RUNS / "wandb").glob("offline-run-*")):
        copied = target / folder.name
        copied.mkdir(parents=True)
        for path in folder.glob("*.wandb"):
            shutil.copy(path, copied)
        for name in KEPT:
            if (source := folder / name).exists():
                (copied / name).parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy)(source, copied / name)


if __name__ == "__main__":
    shutil.rmtree(RUNS, ignore_errors=True)
    RUNS.mkdir()
    os.environ["WANDB_DATA_DIR"] = os.environ["WANDB_CACHE_DIR"] = str(RUNS)
    record_all_kinds()
    record_failed()
    record_resumed()
    keep(Path(sys.argv[1]).absolute())
