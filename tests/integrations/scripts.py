"""Running scripts written for W&B, and reading their runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runstream import Api
from runstream.server.client import ServerError
from tests.polling import eventually
from tests.trainers import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runstream.public_api.run import Run
    from tests.running_stack import Stack

PROGRAMS = Path(__file__).resolve().parent / "programs"
PROJECT = "tests"
_TIMEOUT_S = 240


def execute(
    script: str,
    *arguments: str,
    stack: Stack,
    run_id: str,
    folder: Path,
    launcher: Sequence[str] = (),
    **more: str,
) -> tuple[int, str]:
    """Run a script with ``runstream run``; return its exit status and output.

    Args:
        script: Name of the script in ``programs/``.
        arguments: Arguments of the script.
        stack: The stack to deliver to.
        run_id: The id of the run.
        folder: The working folder.
        launcher: Arguments of ``python`` before the script.
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
            status = process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return status, (folder / "output.txt").read_text()


def run_of(script: str, *arguments: str, stack: Stack, run_id: str, folder: Path, **more: str) -> Run:
    """Run a script that succeeds; return its complete run."""
    status, output = execute(script, *arguments, stack=stack, run_id=run_id, folder=folder, **more)
    assert status == 0, output
    return stored(stack, run_id)


def api(stack: Stack) -> Api:
    """Return the public API of the stack."""
    return Api({"base_url": stack.url, "entity": stack.entity, "project": PROJECT}, api_key=stack.token)


def stored(stack: Stack, run_id: str) -> Run:
    """Wait until a run is complete and has ended; return it."""
    eventually(lambda: _is_stored(stack, run_id), within=120)
    return api(stack).run(run_id)


def _is_stored(stack: Stack, run_id: str) -> bool:
    try:
        run = api(stack).run(run_id)
    except ServerError as error:
        # Nothing of the run has arrived yet.
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return run.delivery["arrived"] and run.state not in {"pending", "running"}


def rows(run: Run) -> list[dict[str, Any]]:
    """Return the rows of a run as the script logged them."""
    return [plain(row) for row in run.scan_history()]


def artifacts_of(run: Run, count: int) -> dict[str, tuple[str, set[str]]]:
    """Wait until a run has logged so many artifacts, besides those of tables; return type and aliases of each."""

    def found() -> dict[str, tuple[str, set[str]]]:
        logged = {one.name: (one.type, {*one.aliases}) for one in run.logged_artifacts() if one.type != "run_table"}
        return logged if len(logged) >= count else {}

    return eventually(found, within=120)


def run_artifact(run: Run, name: str) -> Any:
    """Return an artifact that a run has logged, by name and version."""
    return next(one for one in run.logged_artifacts() if one.name == name)


def files_of(run: Run, *names: str) -> dict[str, int]:
    """Wait until files of a run are stored; return their sizes by name."""

    def found() -> dict[str, int]:
        stored = {file.name: file.size for file in run.files()}
        return stored if stored.keys() >= {*names} else {}

    return eventually(found, within=120)


def values(run: Run, key: str) -> list[Any]:
    """Return the values of a key in order of steps."""
    return [row[key] for row in rows(run) if key in row]
