"""Running scripts written for W&B, and reading back what came of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream import Api
from tests.polling import eventually
from tests.trainers import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream.public_api.run import Run
    from tests.running_stack import Stack

PROGRAMS = Path(__file__).resolve().parent / "programs"
PROJECT = "tests"
_LONGEST_S = 240


def execute(
    script: str,
    *arguments: str,
    stack: Stack,
    run_id: str,
    folder: Path,
    launcher: Sequence[str] = (),
    **more: str,
) -> tuple[int, str]:
    """Run a script by ``runstream run`` in a folder; return its exit status and what it printed.

    Args:
        script: Name in ``programs/``.
        arguments: The script's own.
        stack: Where the run goes.
        run_id: The run.
        folder: Where it runs.
        launcher: What stands between ``python`` and the script.
        more: Environment variables.
    """
    environment = {"WANDB_PROJECT": PROJECT, "WANDB_RUN_ID": run_id, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "output.txt").open("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "runstream.cli.main", "run", *launcher, str(PROGRAMS / f"{script}.py"), *arguments],
            cwd=folder,
            env={**stack.environment, **environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(_LONGEST_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return status, (folder / "output.txt").read_text()


def run_of(script: str, *arguments: str, stack: Stack, run_id: str, folder: Path, **more: str) -> Run:
    """Run a script to its good end and return its run, everything of it stored."""
    status, output = execute(script, *arguments, stack=stack, run_id=run_id, folder=folder, **more)
    assert status == 0, output
    return stored(stack, run_id)


def api(stack: Stack) -> Api:
    """Return what reads runs back."""
    return Api({"base_url": stack.url, "entity": stack.entity, "project": PROJECT}, api_key=stack.token)


def stored(stack: Stack, run_id: str) -> Run:
    """Wait until everything that a run counted is stored, and return it."""
    eventually(lambda: api(stack).run(run_id).delivery["complete"], within=60)
    eventually(lambda: api(stack).run(run_id).state != "running", within=30)
    return api(stack).run(run_id)


def rows(run: Run) -> list[dict[str, Any]]:
    """Return what the script logged, row by row."""
    return [plain(row) for row in run.scan_history()]


def values(run: Run, key: str) -> list[Any]:
    """Return the values of a key, by step."""
    return [row[key] for row in rows(run) if key in row]
