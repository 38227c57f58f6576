"""How a run is called: by the program, by the server, and by both where the server answers late."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.polling import eventually
from tests.trainers import Server, command, new_id, run_folders

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack


def _start(stack: Stack, folder: Path, source: str, **arguments: Any) -> subprocess.Popen[str]:
    given = {"settings": {"quiet": True, "x_disable_stats": True}, **arguments}
    program = f"import runstream\nrun = runstream.init(**{given!r})\n{source}"
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **stack.environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _run(stack: Stack, folder: Path, source: str, **arguments: Any) -> str:
    """Run a program that begins with ``init()``; return what it printed."""
    with _start(stack, folder, source, **arguments) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def _served(server: Server, run_id: str, project: str, number: int | None = None) -> Any:
    """Return the run once all of it has arrived, with its number if it is to have one."""

    def found() -> Any:
        run = server.run(run_id, project=project)
        arrived = server.run(run_id, "/delivery", project=project)["complete"]
        return run if arrived and (number is None or run["number"] == number) else None

    return eventually(found, within=60)


def _project() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


def test_names_are_numbered_in_their_project(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Runs without a name get two words and their number, which program, server and folder agree on."""
    project = _project()
    for number in (1, 2):
        run_id = new_id()
        name = _run(stack, tmp_path, "print(run.name); run.log({'x': 1})", project=project, id=run_id).strip()

        assert re.fullmatch(rf"[a-z]+-[a-z]+-{number}", name)
        assert _served(server, run_id, project)["name"] == name


def test_a_name_that_was_given_stays_and_can_be_changed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A given name is shown as it is, and a new one takes its place."""
    project, given, renamed = _project(), new_id(), new_id()
    _run(stack, tmp_path, "", project=project, id=given, name="mine")
    _run(stack, tmp_path, "run.name = 'later'; run.tags += ('x',)", project=project, id=renamed, tags="single tag")

    assert _served(server, given, project)["name"] == "mine"
    found = _served(server, renamed, project)
    assert (found["name"], found["tags"]) == ("later", ["single tag", "x"])
    assert found["number"] is not None


def test_a_run_that_met_no_server_gets_its_number_at_delivery(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Where the server answers too late for init(), the shipper asks, and the program learns entity, URL and name."""
    project, run_id = _project(), new_id()
    source = """
import time
print(run.name)
deadline = time.monotonic() + 60
while not (run.url and run.name[-1].isdigit()) and time.monotonic() < deadline:
    time.sleep(0.05)
print(run.entity, run.url, run.name)
"""
    # Nothing is remembered of the server either, as on a machine that never spoke to it.
    settings = {"quiet": True, "x_disable_stats": True, "connect_timeout_s": 1e-6}
    stack = replace(stack, environment={**stack.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    first, second = _run(stack, tmp_path, source, project=project, id=run_id, settings=settings).splitlines()

    assert re.fullmatch("[a-z]+-[a-z]+", first)
    page = f"{stack.url}/{stack.entity}/{project}/runs/{run_id}"
    assert second == f"{stack.entity} {page} {first}-1"
    assert _served(server, run_id, project, 1)["name"] == f"{first}-1"


def test_an_offline_run_is_bound_and_numbered_by_sync(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Offline a name carries no number and a run no entity; the first delivery gives both, the next changes nothing."""
    project, run_id = _project(), new_id()
    source = "print(run.name, run.path); run.log({'x': 1})"
    name, path = _run(stack, tmp_path, source, project=project, id=run_id, mode="offline").split()
    assert re.fullmatch("[a-z]+-[a-z]+", name)
    assert path == f"{project}/{run_id}"

    (folder,) = run_folders(tmp_path)
    for _ in range(2):
        command("sync", folder, environment=stack.environment)

    found = _served(server, run_id, project, 1)
    assert (found["name"], found["entity"]) == (f"{name}-1", stack.entity)
    assert json.loads((folder / "delivery.json").read_text())["number"] == 1


def test_runs_that_begin_at_once_have_names_of_their_own(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Programs that begin together are numbered without a gap and without a number twice."""
    project, ids = _project(), [new_id() for _ in range(12)]
    programs = [_start(stack, tmp_path / run_id, "", project=project, id=run_id) for run_id in ids]
    for program in programs:
        with program:
            _, errors = program.communicate(timeout=180)
        assert program.returncode == 0, errors

    def numbers() -> list[int]:
        found = [server.run(run_id, project=project)["number"] for run_id in ids]
        assert None not in found
        return sorted(found)

    assert eventually(numbers, within=60) == list(range(1, 13))


def test_the_default_project_has_one_name(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A run without a project, and one that spells the default one its own way, are in ``Uncategorized``."""
    ids = new_id(), new_id()
    assert _run(stack, tmp_path, "print(run.project)", id=ids[0]).strip() == "Uncategorized"
    assert _run(stack, tmp_path, "print(run.project, run.url)", id=ids[1], project="uncategorized").split() == [
        "uncategorized",
        f"{stack.url}/{stack.entity}/Uncategorized/runs/{ids[1]}",
    ]

    for run_id in ids:
        assert _served(server, run_id, "uncategorized")["project"] == "Uncategorized"
