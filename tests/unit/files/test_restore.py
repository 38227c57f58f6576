"""``restore()``: downloads a file of a run, and returns it open for reading."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

import runstream
from tests.http_answers import answering
from tests.unit.files.recorded import offline_run

if TYPE_CHECKING:
    from pathlib import Path


def _listed(name: str, content: str, state: str = "stored") -> tuple[int, str]:
    found: dict[str, Any] = {"name": name, "size": len(content), "state": state}
    found["sha256"] = hashlib.sha256(content.encode()).hexdigest()
    return 200, json.dumps({"files": [found], "next": None})


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNSTREAM_DATA_DIR", str(tmp_path / "none"))
    for name in ("RUNSTREAM_URL", "RUNSTREAM_API_KEY", "RUNSTREAM_ENTITY", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)


def test_file_of_another_run_needs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put into the current folder, or below ``root``, and kept if it exists, unless it is to be replaced."""
    with answering(_listed("d/a b.txt", "text"), (200, "text"), _listed("d/a b.txt", "more"), (200, "more")) as served:
        monkeypatch.setenv("RUNSTREAM_URL", served.url)
        with runstream.restore("d/a b.txt", run_path="e/p/r") as file:
            assert (file.name, file.read()) == ("d/a b.txt", "text")
        with runstream.restore("d/a b.txt", "e/p/r") as file:
            assert file.read() == "text"
        with runstream.restore("d/a b.txt", "e/p/r", replace=True, root=tmp_path) as file:
            assert file.read() == "more"
        assert [request.path for request in served.requests[:2]] == [
            "/api/v1/runs/e/p/r/files?name=d%2Fa+b.txt",
            "/api/v1/runs/e/p/r/files/d/a%20b.txt",
        ]
        assert len(served.requests) == 4


def test_file_of_the_active_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put into the folder of the run's files; the default entity is that of the server."""
    with answering((200, '{"entity": "me"}'), _listed("m.bin", "abc"), (200, "abc")) as served:
        with offline_run(tmp_path) as run:
            monkeypatch.setenv("RUNSTREAM_URL", served.url)
            with run.restore("m.bin") or pytest.fail("no file") as file:
                assert (file.name, file.read()) == (f"{run.dir}/m.bin", "abc")
        assert [request.path for request in served.requests[1:2]] == ["/api/v1/runs/me/p/r1/files?name=m.bin"]


@pytest.mark.parametrize(
    "answers",
    [[(404, "{}")], [(200, '{"files": [], "next": null}')], [_listed("a", "x", "dropped")]],
    ids=["no run", "no file", "lost"],
)
def test_file_that_is_not_found_is_an_error(monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, str]]) -> None:
    """The error names it, whether the run, the file, or its content is missing."""
    with answering(*answers) as served:
        monkeypatch.setenv("RUNSTREAM_URL", served.url)
        with pytest.raises(ValueError, match="Cannot restore 'a': "):
            runstream.restore("a", "e/p/r")


def test_calls_that_cannot_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a run its path is required; a name must stay in the folder; without an answer it is a CommError."""
    with pytest.raises(ValueError, match="run_path is required"):
        runstream.restore("a")
    for name in ("../a", "/etc/passwd", "a/../../b", "", "nul\0"):
        with pytest.raises(ValueError, match="Invalid name"):
            runstream.restore(name, "e/p/r")
    with pytest.raises(runstream.CommError, match="runstream up"):
        runstream.restore("a", "e/p/r")
    monkeypatch.setenv("RUNSTREAM_URL", "http://127.0.0.1:1")
    with pytest.raises(runstream.CommError, match="No answer from"):
        runstream.restore("a", "e/p/r")


def test_disabled_run_opens_what_exists(tmp_path: Path) -> None:
    """It asks no server, and returns None for what does not exist."""
    run = runstream.init(mode="disabled", reinit="create_new")
    assert run.restore("a") is None
    (tmp_path / "a").write_text("x")
    with run.restore("a", root=tmp_path) or pytest.fail("no file") as file:
        assert file.read() == "x"
    run.finish()
