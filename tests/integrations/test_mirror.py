"""Logging to both: what a script does with the real W&B, offline, is done in Runstream too."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integrations.scripts import PROGRAMS, rows, stored
from tests.trainers import new_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

pytestmark = pytest.mark.integrations


def run_mirrored(stack: Stack, run_id: str, folder: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """Run the script with Python, so that wandb is the real one; return its exit status and output."""
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "mirrored.py"), *arguments],
        cwd=folder,
        env={**stack.environment, "WANDB_MODE": "offline", "WANDB_RUN_ID": run_id, **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_mirrored_run_has_the_content_of_the_wandb_run(stack: Stack, tmp_path: Path) -> None:
    """Rows, config, summary, metric definitions, name, tags and state are the same; media are left out."""
    run_id = new_id()

    status, output = run_mirrored(stack, run_id, tmp_path)

    assert status == 0, output
    run = stored(stack, run_id)
    assert run.state == "finished"
    assert [(row["_step"], row["loss"]) for row in run.scan_history()] == [(0, 1), (10, 3), (20, 2)]
    assert run.config == {"lr": 1, "net": {"depth": 2}, "batch": 2, "seed": 4}
    assert run.summary["loss"] == {"min": 1}
    assert run.summary["best"] == 1
    assert run.summary["per"] == {"class": 1, "sample": 2}
    assert (run.name, run.tags) == ("renamed", ["both", "more"])
    assert "Cannot mirror objects of W&B and of other types that cannot be recorded: picture" in output
    assert list((tmp_path / "wandb").glob(f"offline-run-*-{run_id}"))


def test_an_exception_fails_both_runs(stack: Stack, tmp_path: Path) -> None:
    """An exception that leaves the ``with`` block also ends the script."""
    run_id = new_id()

    status, output = run_mirrored(stack, run_id, tmp_path, "--fail")

    assert status == 1
    assert "RuntimeError: the script's own error" in output
    assert stored(stack, run_id).state == "failed"
    assert len(rows(stored(stack, run_id))) == 3


def test_an_error_of_runstream_does_not_affect_the_script(stack: Stack, tmp_path: Path) -> None:
    """An invalid setting of Runstream is a warning, and W&B's run is recorded."""
    run_id = new_id()

    status, output = run_mirrored(stack, run_id, tmp_path, RUNSTREAM_DISK="nonsense")

    assert status == 0, output
    assert "Cannot mirror init()" in output
    assert list((tmp_path / "wandb").glob(f"offline-run-*-{run_id}"))
    assert not os.path.lexists(tmp_path / "runstream")
