"""Files of a run in the public API."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runstream import Api, CommError
from runstream.public_api.exceptions import MissingFileError
from tests.http_answers import Answers, answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runstream.public_api.run import Run


def _document(name: str, content: str = "abc", **more: Any) -> dict[str, Any]:
    found = {"name": name, "size": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}
    given = {"media_type": "text/plain", "policy": "now", "state": "stored", "reason": None, "writer": "00" * 16}
    return found | given | {"updated_at": "2026-01-02T03:04:05+00:00", "url": "/x"} | more


def _page(*documents: dict[str, Any], after: str | None = None) -> tuple[int, str]:
    return 200, json.dumps({"files": list(documents), "next": after})


@contextmanager
def _run(monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, str]) -> Iterator[tuple[Run, Answers]]:
    with answering((200, "{}"), *answers) as served:
        monkeypatch.setenv("RUNSTREAM_URL", served.url)
        monkeypatch.delenv("RUNSTREAM_API_KEY", raising=False)
        yield Api().run("e/p/r"), served


def test_pages_are_read_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iteration and indexing read further pages, also after one without files; the length reads all."""
    pages = [_page(_document("a"), after="1"), _page(after="2"), _page(_document("b"), _document("c"))]
    with _run(monkeypatch, *pages) as (run, served):
        files = run.files(per_page=2)
        assert (files[0].name, len(served.requests)) == ("a", 2)
        assert [file.name for file in files] == ["a", "b", "c"]
        assert (len(files), files[-1].name, [file.name for file in files[1:]]) == (3, "c", ["b", "c"])
        assert [request.path.partition("?")[2] for request in served.requests[1:]] == [
            "limit=2",
            "limit=2&after=1",
            "limit=2&after=2",
        ]
        assert repr(files) == "<Files e/p/r>"


def test_names_or_a_pattern_select(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both together are a ValueError; one name may be a string."""
    with _run(monkeypatch, _page()) as (run, served):
        with pytest.raises(ValueError, match="pass one of them"):
            run.files(names=["a"], pattern="%.json")
        assert [*run.files(["a", "b"]), *run.files("c"), *run.files(pattern="%.json")] == []
        assert [request.path.partition("?")[2] for request in served.requests[1:]] == [
            "name=a&name=b&limit=50",
            "name=c&limit=50",
            "pattern=%25.json&limit=50",
        ]


def test_properties_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of the listing; URLs name the server; an unknown media type follows from the name."""
    with _run(monkeypatch, _page(_document("d/a b.png", media_type=""))) as (run, served):
        file = run.file("d/a b.png")
        assert (file.name, file.size, file.mimetype, file.policy) == ("d/a b.png", 3, "image/png", "now")
        assert file.url == file.path_uri == f"{served.url}/api/v1/runs/e/p/r/files/d/a%20b.png"
        assert file.direct_url == f"{file.url}?download=1"
        assert (file.updated_at, file.created_at.year) == ("2026-01-02T03:04:05+00:00", 2026)
        assert (file.id, file.reason, repr(file)) == (file.sha256, "", "<File d/a b.png (image/png) 3 bytes>")


def test_download_keeps_or_replaces_what_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a choice an existing file is an error that names it."""
    with _run(monkeypatch, _page(_document("d/a")), (200, "abc"), (200, "abc")) as (run, _):
        file = run.file("d/a")
        with file.download(tmp_path) as opened:
            assert (opened.name, opened.read()) == (str(tmp_path / "d" / "a"), "abc")
        (tmp_path / "d" / "a").write_text("mine")
        with pytest.raises(ValueError, match=r"d/a' exists: pass replace=True .* exist_ok=True"):
            file.download(tmp_path)
        with file.download(tmp_path, exist_ok=True) as opened:
            assert opened.read() == "mine"
        with file.download(tmp_path, replace=True) as opened:
            assert opened.read() == "abc"


@pytest.mark.parametrize(
    ("documents", "reason"),
    [([], "The run has no file 'a'"), ([_document("a", state="dropped", reason="the disk is full")], "disk is full")],
)
def test_missing_file_is_a_commerror(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, documents: list[dict[str, Any]], reason: str
) -> None:
    """The error has the reason why there is no content."""
    with _run(monkeypatch, _page(*documents)) as (run, _):
        with pytest.raises(CommError, match=reason):
            run.file("a").download(tmp_path)
        with pytest.raises(MissingFileError):
            run.file("a").download(tmp_path)


def test_names_that_leave_the_folder_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name of the server cannot write elsewhere, and one to upload must be below its root; nothing is sent."""
    (tmp_path / "a").write_text("x")
    with _run(monkeypatch, _page(_document("../../etc/x"))) as (run, served):
        with pytest.raises(ValueError, match="Invalid name"):
            run.file("../../etc/x").download(tmp_path)
        with pytest.raises(ValueError, match=r"Invalid name '../a' of '.*/a' relative to '.*/b'"):
            run.upload_file(str(tmp_path / "a"), root=str(tmp_path / "b"))
        with pytest.raises(OSError, match="none"):
            run.upload_file(str(tmp_path / "none"), root=str(tmp_path))
        assert len(served.requests) == 2


def test_values_in_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """References are replaced wherever they are, and further values of a row are merged into it."""
    text, number, more = '"', '{"_type":"float","value":"NaN"}', '{"n":{"b":2},"c":3}'
    answers = [
        (_page(_document(name, content)), (200, content)) for name, content in (("t.txt", text), ("m.json", more))
    ]
    with _run(monkeypatch, *(one for pair in answers for one in pair)) as (run, _):
        reference = {"_type": "value-file", "size": 1}
        row = {
            "a": [{**reference, "path": "t.txt"}, 1],
            "n": {"a": 1},
            "[more values]": {**reference, "path": "m.json"},
        }
        assert run.resolve(row) == {"a": ['"', 1], "n": {"a": 1, "b": 2}, "c": 3}
    with _run(monkeypatch, _page(_document("x.json", number)), (200, number)) as (run, _):
        found = run.resolve({**reference, "path": "x.json"})
        assert found != found  # noqa: PLR0124 - NaN
