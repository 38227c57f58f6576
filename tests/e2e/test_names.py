"""Names and numbers of runs, also if the server answers only after the run started."""

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
    """Run a program that starts with ``init()``; return its output."""
    with _start(stack, folder, source, **arguments) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def _stored(server: Server, run_id: str, project: str, number: int | None = None) -> Any:
    """Return the run when it is complete, and has the given number if there is one."""

    def found() -> Any:
        run = server.run(run_id, project=project)
        complete = server.run(run_id, "/delivery", project=project)["complete"]
        return run if complete and (number is None or run["number"] == number) else None

    return eventually(found, within=120)


def _project() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


def test_generated_names_are_numbered_per_project(stack: Stack, server: Server, tmp_path: Path) -> None:
    """Two words and the run's number; the program and the server show the same name."""
    project = _project()
    for number in (1, 2):
        run_id = new_id()
        name = _run(stack, tmp_path, "print(run.name); run.log({'x': 1})", project=project, id=run_id).strip()

        assert re.fullmatch(rf"[a-z]+-[a-z]+-{number}", name)
        assert _stored(server, run_id, project)["name"] == name


def test_a_given_name_is_kept_and_can_be_changed(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A given name has no number, and a new name replaces it."""
    project, given, renamed = _project(), new_id(), new_id()
    _run(stack, tmp_path, "", project=project, id=given, name="mine")
    _run(stack, tmp_path, "run.name = 'later'; run.tags += ('x',)", project=project, id=renamed, tags="single tag")

    assert _stored(server, given, project)["name"] == "mine"
    found = _stored(server, renamed, project)
    assert (found["name"], found["tags"]) == ("later", ["single tag", "x"])
    assert found["number"] is not None


def test_a_run_without_a_server_has_its_number_at_delivery(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The shipper requests the number, and the program gets entity, URL and name later."""
    project, run_id = _project(), new_id()
    source = """
import time
print(run.name)
deadline = time.monotonic() + 60
while not (run.url and run.name[-1].isdigit()) and time.monotonic() < deadline:
    time.sleep(0.05)
print(run.entity, run.url, run.name)
"""
    # An empty cache, as on a machine that was never connected to the server.
    settings = {"quiet": True, "x_disable_stats": True, "connect_timeout_s": 1e-6}
    stack = replace(stack, environment={**stack.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    first, second = _run(stack, tmp_path, source, project=project, id=run_id, settings=settings).splitlines()

    assert re.fullmatch("[a-z]+-[a-z]+", first)
    page = f"{stack.url}/{stack.entity}/{project}/runs/{run_id}"
    assert second == f"{stack.entity} {page} {first}-1"
    assert _stored(server, run_id, project, 1)["name"] == f"{first}-1"


def test_sync_sets_entity_and_number_of_an_offline_run(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The first delivery sets both, a second one changes nothing."""
    project, run_id = _project(), new_id()
    source = "print(run.name, run.path); run.log({'x': 1})"
    name, path = _run(stack, tmp_path, source, project=project, id=run_id, mode="offline").split()
    assert re.fullmatch("[a-z]+-[a-z]+", name)
    assert path == f"{project}/{run_id}"

    (folder,) = run_folders(tmp_path)
    for _ in range(2):
        command("sync", folder, environment=stack.environment)

    found = _stored(server, run_id, project, 1)
    assert (found["name"], found["entity"]) == (f"{name}-1", stack.entity)
    assert json.loads((folder / "delivery.json").read_text())["number"] == 1


def test_runs_that_start_at_the_same_time_have_different_numbers(stack: Stack, server: Server, tmp_path: Path) -> None:
    """The numbers have no gaps and no duplicates."""
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

    assert eventually(numbers, within=120) == list(range(1, 13))


def test_both_spellings_of_the_default_project_are_one_project(stack: Stack, server: Server, tmp_path: Path) -> None:
    """A run without a project and a run in ``uncategorized`` are in ``Uncategorized``."""
    ids = new_id(), new_id()
    assert _run(stack, tmp_path, "print(run.project)", id=ids[0]).strip() == "Uncategorized"
    assert _run(stack, tmp_path, "print(run.project, run.url)", id=ids[1], project="uncategorized").split() == [
        "uncategorized",
        f"{stack.url}/{stack.entity}/Uncategorized/runs/{ids[1]}",
    ]

    for run_id in ids:
        assert _stored(server, run_id, "uncategorized")["project"] == "Uncategorized"
