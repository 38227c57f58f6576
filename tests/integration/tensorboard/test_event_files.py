"""``sync_tensorboard``: events written to TensorBoard are rows on the server, with the real stack."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.polling import eventually
from tests.trainers import Server, command, kill, new_id, plain, run_folders, run_to_end, start
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from tests.running_stack import Stack


def rows_of(server: Server, run_id: str, count: int) -> list[dict[str, Any]]:
    """Wait until a run is complete and has ``count`` rows; return its rows."""
    eventually(lambda: count_rows(server, run_id) >= count, within=120)
    eventually(lambda: server.run(run_id, "/delivery")["complete"], within=120)
    return server.rows(run_id)


@pytest.mark.parametrize(
    ("end", "status", "state"), [("finish", 0, "finished"), ("exit", 0, "finished"), ("kill", -9, "crashed")]
)
def test_each_global_step_is_a_row(  # noqa: PLR0917 - fixtures and parameters
    stack: Stack, server: Server, tmp_path: Path, end: str, status: int, state: str
) -> None:
    """The last events are stored no matter how the process ended, and so are the event file itself and its images."""
    run_id = new_id()

    arguments = ("--id", run_id, "--end", end, "--image")
    ended = run_to_end("write_events", *arguments, environment=stack.environment, folder=tmp_path)

    assert ended == status, (tmp_path / "output.txt").read_text()
    rows = rows_of(server, run_id, 10)
    assert [row["_step"] for row in rows] == list(range(10))
    assert [row["global_step"] for row in rows] == [step * 10 for step in range(10)]
    assert [row["accuracy"] for row in rows] == [step / 16 for step in range(10)]
    assert [row["loss"] for row in rows] == pytest.approx([1 / (step + 1) for step in range(10)])
    run = server.run(run_id)
    assert run["state"] == state
    assert run["summary"]["accuracy"] == 9 / 16
    assert run["summary"]["global_step"] == 90
    picture = rows[9]["val/picture"]
    assert (picture["_type"], picture["width"], picture["height"]) == ("image-file", 6, 4)
    assert picture["path"].startswith("media/images/val/picture_90_")
    (events,) = (tmp_path / "events").iterdir()
    files = stored_files(server, run_id, picture["path"], events.name)
    assert files[picture["path"]]["sha256"] == picture["sha256"]
    assert files[events.name]["policy"] == "end"
    assert files[events.name]["sha256"] == hashlib.sha256(events.read_bytes()).hexdigest()


def stored_files(server: Server, run_id: str, *names: str) -> dict[str, Any]:
    """Wait until files of a run are stored; return the stored ones by name."""

    def stored() -> dict[str, Any]:
        files = server.run(run_id, "/files", limit=1000)["files"]
        found = {file["name"]: file for file in files if file["state"] == "stored"}
        return found if found.keys() >= {*names} else {}

    return eventually(stored, within=60)


def written(folder: Path) -> list[str]:
    """Return the paths of the event files below a folder, relative to it."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*tfevents*")]


def test_event_files_of_an_offline_run_are_read_by_sync(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Names of values and files in other folders than the first begin with the folder."""
    run_id = new_id()
    arguments = ("--id", run_id, "--mode", "offline", "--steps", 2, "--folders", "logs/a", "logs/b")
    assert run_to_end("write_events", *arguments, environment=stack.environment, folder=tmp_path) == 0
    (folder,) = run_folders(tmp_path)

    command("sync", folder, environment=stack.environment)

    rows = [plain(row) for row in rows_of(server, run_id, 4)]
    stored_files(server, run_id, *(name.replace("a/", "") for name in written(tmp_path / "logs")))
    for row in rows:
        row.pop("loss", None)
        row.pop("b/loss", None)
    assert sorted(rows, key=str) == [
        {"b/global_step": 0, "b/accuracy": 0.0},
        {"b/global_step": 10, "b/accuracy": 1 / 16},
        {"global_step": 0, "accuracy": 0.0},
        {"global_step": 10, "accuracy": 1 / 16},
    ]


def test_events_are_stored_exactly_once_when_readers_are_killed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The reader, and the shipper with its reader, are killed while events are written."""
    run_id, enough = new_id(), tmp_path / "enough"
    arguments = ("--id", run_id, "--until", enough, "--pause", 0.01)
    trainer = start("write_events", *arguments, environment=stack.environment, folder=tmp_path)
    try:
        for name in ("runstream.tensorboard", "runstream.shipper", "runstream.tensorboard"):
            pids = eventually(lambda name=name: processes_of(name, tmp_path))  # type: ignore[misc]
            seen = len(server.rows(run_id)) if name != "runstream.tensorboard" else 0
            kill(sorted(pids))
            eventually(lambda pids=pids, name=name: processes_of(name, tmp_path) - set(pids))  # type: ignore[misc]
            eventually(lambda seen=seen: count_rows(server, run_id) > seen)  # type: ignore[misc]
        enough.touch()
        assert trainer.wait(120) == 0, (tmp_path / "output.txt").read_text()
    finally:
        trainer.kill()
        trainer.wait()

    steps = int(enough.read_text())
    rows = rows_of(server, run_id, steps)
    assert [row["global_step"] for row in rows] == [step * 10 for step in range(steps)]
    assert [row["_step"] for row in rows] == list(range(steps))


def test_a_missing_tensorboard_package_is_a_warning(tmp_path: Path) -> None:
    """The warning names the package, and the run continues."""
    source = """
import sys
sys.modules["tensorboard"] = None
run = runstream.init(mode="offline", project="p", sync_tensorboard=True)
run.log({"x": 1})
run.finish()
"""
    status, _, errors = finished(tmp_path, source, begin="import runstream\n")

    assert status == 0
    assert "pip install 'runstream[tensorboard]'" in errors


def test_a_forked_child_does_not_flush_the_writers_of_its_parent(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A child that finishes does not wait for threads of the parent; the parent loses no events."""
    run_id = new_id()
    source = f"""
import os
run = runstream.init(project="tests", id={run_id!r}, sync_tensorboard=True)
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
writer = EventFileWriter("events")
for step in range(200):
    value = Summary.Value(tag="x", simple_value=step)
    writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[value])))
if not (child := os.fork()):
    run.finish()
    os._exit(0)
os.waitpid(child, 0)
run.finish()
"""
    environment = {**stack.environment, "PYTHONWARNINGS": ""}
    assert finished(tmp_path, source, begin="import runstream\n", **environment)[0] == 0

    rows = rows_of(server, run_id, 200)
    assert [row["x"] for row in rows] == list(range(200))


def test_a_second_run_has_its_last_events(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A run that starts after another one and is not finished by the program has all events."""
    run_id = new_id()
    source = f"""
with runstream.init(project="tests", sync_tensorboard=True):
    pass
run = runstream.init(project="tests", id={run_id!r}, sync_tensorboard=True)
from tensorboardX import SummaryWriter
writer = SummaryWriter("events")
for step in range(500):
    writer.add_scalar("x", step, step)
"""
    environment = {**stack.environment, "PYTHONWARNINGS": ""}
    assert finished(tmp_path, source, begin="import runstream\n", **environment)[0] == 0

    rows = rows_of(server, run_id, 1)
    assert [row["global_step"] for row in rows] == list(range(500))


def count_rows(server: Server, run_id: str) -> int:
    """Return the number of rows on the server."""
    return len(server.rows(run_id))


def processes_of(module: str, folder: Path) -> set[int]:
    """Return the processes of a module for run folders below a folder."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if module.encode() in words and any(os.fsencode(folder) in word for word in words):
                found.add(int(process.name))
    return found
