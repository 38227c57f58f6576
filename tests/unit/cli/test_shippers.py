"""`runstream shippers` lists and stops the processes that deliver runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from runstream.run_folder.delivery_processes import DeliveryProcess, delivery_processes
from tests.polling import eventually
from tests.unit.producer.programs import environment, started
from tests.unit.producer.spooled import only_run, primary, steps_and_values

if TYPE_CHECKING:
    from pathlib import Path

_URL = "http://127.0.0.1:9"
_PROGRAM = """
import os, runstream, time
run = runstream.init(id="listed", project="p")
while not os.path.exists("go"):
    time.sleep(0.05)
for n in range(3):
    run.log({"n": n})
run.finish()
print("ended")
"""


def _command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "runstream.cli.main", "shippers", *arguments],
        env=environment(folder),
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _running(folder: Path) -> dict[str, DeliveryProcess]:
    """Return the processes of the run folder below a folder by kind: other tests have shippers, too."""
    return {item.kind: item for item in delivery_processes() if item.folder.is_relative_to(folder)}


def test_shippers_are_listed_and_stopped(tmp_path: Path) -> None:
    """A stopped shipper is not started again by the guardian or the training process, which goes on recording."""
    with started(tmp_path, _PROGRAM, begin="", RUNSTREAM_URL=_URL) as process:
        eventually(lambda: (found := _running(tmp_path).get("shipper")) and found.problem)
        path = only_run(tmp_path)
        listed = [item for item in json.loads(_command(tmp_path, "--json")[1]) if item["folder"] == str(path)]
        assert [(item["kind"], item["run"], item["state"]) for item in listed] == [
            ("guardian", "listed", "not connected"),
            ("shipper", "listed", "not connected"),
        ]
        assert f"No answer from {_URL}" in listed[1]["problem"]
        assert listed[1]["server"].startswith(_URL)
        status, output, errors = _command(tmp_path, "stop", str(path))
        assert (status, f"runstream sync {path}" in output) == (0, True), errors
        (tmp_path / "go").touch()
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, output) == (0, "ended\n")
    assert "delivery was stopped by `runstream shippers stop`" in errors
    assert _running(tmp_path) == {}
    assert steps_and_values(primary(tmp_path)) == [(n, {"n": n}) for n in range(3)]
    assert _command(tmp_path, "stop", str(path))[0] == 1
