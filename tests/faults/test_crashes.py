"""Processes killed with SIGKILL: accepted rows are stored, and the state shows what happened."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from runstream.spool.control_page import CONTROL_NAME, ControlPage, Word
from tests.faults.recount import recount
from tests.polling import eventually
from tests.trainers import Server, command, kill, new_id, run_folders, start

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from tests.running_stack import Stack


def started(stack: Stack, server: Server, folder: Path, run_id: str, **extra: str) -> Popen[str]:
    """Start a trainer that logs 200 rows and then waits; wait until the run is running."""
    arguments = ("--id", run_id, "--rows", 200, "--end", "wait", "--journal", folder / "journal")
    process = start("log_rows", *arguments, environment={**stack.environment, **extra}, folder=folder)
    eventually(lambda: (folder / "journal").exists() and len((folder / "journal").read_text().splitlines()) == 200)
    eventually(lambda: server.run(run_id)["state"] == "running")
    return process


@pytest.mark.parametrize(("identify", "reason"), [("true", "SIGKILL"), ("false", "unknown")])
def test_a_killed_trainer_is_crashed_without_a_timeout(
    stack: Stack, server: Server, tmp_path: Path, identify: str, reason: str
) -> None:
    """The shipper detects the exit of the trainer, and reports the signal if the kernel provides it."""
    run_id = new_id()
    trainer = started(stack, server, tmp_path, run_id, RUNSTREAM_IDENTIFY_EXIT_SIGNAL=identify)

    trainer.send_signal(signal.SIGKILL)
    trainer.wait()
    eventually(lambda: server.run(run_id)["state"] == "crashed", within=120)

    ending = server.run(run_id, "/state")
    assert reason in json.dumps(ending["writers"])
    assert "presumed" not in ending["qualifiers"]
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    assert recount(tmp_path / "journal", url=stack.url, token=stack.token).stored == 200


def test_a_killed_process_group_is_presumed_crashed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """With shipper and guardian killed too, the timeout decides. Sync delivers the rows without changing the state."""
    run_id = new_id()
    trainer = started(stack, server, tmp_path, run_id)
    (folder,) = run_folders(tmp_path)
    with ControlPage(folder / CONTROL_NAME) as control:
        pids = [control[Word.GUARDIAN_PID], trainer.pid, control[Word.SHIPPER_PID]]

    kill(pids)
    trainer.wait()

    eventually(lambda: server.run(run_id)["state"] == "crashed", within=120)
    assert "presumed" in server.run(run_id)["qualifiers"]
    command("sync", folder, environment=stack.environment)
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    assert recount(tmp_path / "journal", url=stack.url, token=stack.token).stored == 200
    states = [transition["to"] for transition in server.run(run_id, "/state")["transitions"]]
    assert server.run(run_id)["state"] == "crashed"
    assert states[-1] == "crashed"


def test_a_preempted_trainer_loses_no_rows(stack: Stack, server: Server, tmp_path: Path) -> None:
    """It is killed right after ``mark_preempting()``, while rows are still being delivered; all of them are stored."""
    run_id = new_id()
    arguments = ("--id", run_id, "--rows", 5000, "--end", "preempted", "--journal", tmp_path / "journal")
    trainer = start("log_rows", *arguments, environment=stack.environment, folder=tmp_path)
    assert trainer.wait(120) == -signal.SIGKILL

    eventually(lambda: server.run(run_id)["state"] == "preempted", within=120)
    assert server.run(run_id)["preempting"]
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    assert recount(tmp_path / "journal", url=stack.url, token=stack.token).stored == 5000
