"""The command ``files`` with a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from runstream.cli.main import create_app
from runstream.exceptions import Error
from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.api.serving import Served

_RUN = "ada/files/stored"


@pytest.fixture(autouse=True)
def _server(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RUNSTREAM_URL": served.url, "RUNSTREAM_API_KEY": TOKEN, "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", autouse=True)
def _stored(served: Served) -> None:
    run = new_recording("stored", project="files").start({})
    run.file("config.yaml", b"lr: 0.1\n").file("media/a.png", b"png").file("media/b.png", lost="it vanished")
    served.store(run.exit())


def _run(*arguments: str) -> str:
    found = CliRunner().invoke(create_app(), ["files", _RUN, *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_files_are_listed_with_sizes_and_states() -> None:
    """A lost file has its reason; a pattern selects files as SQL's LIKE does."""
    lines = [line.strip().split(maxsplit=3) for line in _run().splitlines()[1:]]
    assert [[*line[:1], *line[3:]] for line in lines] == [
        ["config.yaml", "stored"],
        ["media/a.png", "stored"],
        ["media/b.png", "dropped: it vanished"],
    ]
    assert [one["name"] for one in json.loads(_run("--json", "--pattern", "%.png"))] == ["media/a.png", "media/b.png"]


def test_files_are_uploaded_downloaded_and_deleted(tmp_path: Path) -> None:
    """Names are relative to the root; a file is kept if it has the content, else replaced only if that is requested."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("first")
    assert _run("put", str(tmp_path / "notes" / "a.txt"), "--root", str(tmp_path)) == "Uploaded notes/a.txt\n"
    target = tmp_path / "here"
    assert _run("get", "notes/a.txt", "config.yaml", "--root", str(target)).count("Downloaded") == 2
    assert (target / "notes" / "a.txt").read_text() == "first"
    assert _run("get", "notes/a.txt", "--root", str(target)) == ""
    (target / "notes" / "a.txt").write_text("other")
    with pytest.raises(Error, match=r"notes/a\.txt' exists.*--replace"):
        _run("get", "notes/a.txt", "--root", str(target))
    _run("get", "notes/a.txt", "--root", str(target), "--replace")
    assert (target / "notes" / "a.txt").read_text() == "first"
    assert _run("get", "--pattern", "media/%", "--root", str(target)) == "Downloaded media/a.png\n"
    assert _run("rm", "notes/a.txt") == "Deleted notes/a.txt\n"
    assert "notes" not in _run()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get",), "Missing names"),
        (("get", "nothing.txt"), "no file named 'nothing.txt'"),
        (("get", "--pattern", "x%"), "no file matches 'x%'"),
        (("ls", "a", "--pattern", "x%"), "use one of them"),
        (("put", "/nowhere/at/all"), "/nowhere/at/all"),
        (("get", "media/b.png"), "it vanished"),
    ],
)
def test_mistakes_are_errors_that_name_the_file(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    """What is missing, unknown, unreadable or lost."""
    with pytest.raises(Error, match=message):
        _run(*arguments, "--root", str(tmp_path))
