"""The commands for artifacts and the cache, with the stack of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from runstream.cli.main import create_app
from runstream.exceptions import Error
from tests.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running_stack import Stack

_PROGRAM = [sys.executable, "-m", "runstream.cli.main", "artifact", "put"]


@pytest.fixture(scope="module")
def project(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a project with the artifact data:best of a file, which the command put has uploaded."""
    project = f"p{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("put")
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("first")
    more = ["--name", f"{project}/data:best", "--tag", "small", "--json"]
    done = subprocess.run(
        [*_PROGRAM, "data", *more],
        cwd=folder,
        env={**os.environ, **stack.environment, "RUNSTREAM_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (put,) = json.loads(done.stdout)
    assert (put["name"], put["type"]) == (f"{stack.entity}/{project}/data:v0", "dataset")
    assert (put["aliases"], put["tags"], put["files"]) == (["best", "latest"], ["small"], 1)
    return project


@pytest.fixture(autouse=True)
def _environment(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**stack.environment, "RUNSTREAM_CACHE_DIR": str(tmp_path / "cache"), "COLUMNS": "160"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def _run(*arguments: str, status: int = 0) -> str:
    found = CliRunner().invoke(create_app(), [*arguments], catch_exceptions=False)
    assert found.exit_code == status, found.output
    return found.stdout


def test_artifacts_are_listed_downloaded_and_verified(project: str, stack: Stack, tmp_path: Path) -> None:
    """A damaged file is reported by its name; the next download repairs it from the cache."""
    assert f"{stack.entity}/{project}/data" in _run("artifact", "ls", project)
    assert "v0" in _run("artifact", "ls", f"{project}/data", "--versions")
    assert _run("artifact", "get", f"{project}/data:best", "--root", "here") == "here\n"
    assert (tmp_path / "here/a.txt").read_text() == "first"
    assert _run("artifact", "verify", f"{project}/data:v0", "here").startswith("All 1 files")

    (tmp_path / "here/a.txt").write_text("other")
    with pytest.raises(Error, match=r"Digest mismatch for file: 'a.txt'"):
        _run("artifact", "verify", f"{project}/data:v0", "here")
    _run("artifact", "get", f"{project}/data:v0", "--root", "here")
    assert (tmp_path / "here/a.txt").read_text() == "first"

    assert json.loads(_run("cache", "info", "--json"))["files"] == 1
    assert _run("cache", "gc") == "Deleted 0 files, 0 Bytes\n"
    assert _run("cache", "gc", "0") == "Deleted 1 files, 5 Bytes\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "PROJECT/none:v0"), r"PROJECT/none:v0: check its name"),
        (("get", "PROJECT/data:v7"), r"PROJECT/data:v7: check its name"),
        (("get", "PROJECT/data:v0", "--type", "model"), "has type 'dataset', not 'model'"),
        (("get", "a/b/c/d"), "Invalid name of an artifact 'a/b/c/d'"),
        (("verify", "PROJECT/data:v0", "nowhere"), "'nowhere/a.txt' is missing"),
        (("rm", "a/b/c/d"), "Invalid name of an artifact 'a/b/c/d'"),
        (("get", "PROJECT/data:v0", "--root", "/dev/null"), "File exists: '/dev/null'"),
        (("rm", "PROJECT/data"), "expected NAME:VERSION; --all deletes all versions"),
        (("rm", "PROJECT/data:v0", "--all"), "name the artifact without a version"),
        (("rm", "PROJECT/data:v0"), r"has best: .*--delete-aliases"),
        (("put", "nowhere"), "Invalid path 'nowhere'"),
        (("put", ".", "--name", "PROJECT/data:v3"), "Invalid alias 'v3'"),
        (("put", ".", "--name", "a b"), "Invalid name 'a b'"),
        (("put", ".", "--name", "a", "--tag", "a:b"), "Invalid tag 'a:b'"),
        (("ls", "--versions"), "Missing name"),
        (("ls", "PROJECT/none", "--versions"), "PROJECT/none"),
    ],
    ids=str,
)
def test_mistakes_are_errors_that_name_the_value(project: str, arguments: tuple[str, ...], message: str) -> None:
    """Nothing is downloaded, uploaded or deleted."""
    with pytest.raises(Error, match=message.replace("PROJECT", project)):
        _run("artifact", *[one.replace("PROJECT", project) for one in arguments])


def test_versions_and_artifacts_are_deleted(project: str, stack: Stack) -> None:
    """A version with an alias is deleted only by request, and the rest with --all."""
    name = f"{stack.entity}/{project}/data"
    assert _run("artifact", "rm", f"{project}/data:best", "--delete-aliases") == f"Deleted {name}:v0\n"
    eventually(lambda: _run("artifact", "ls", project) == "", within=60)
