"""Downloads: complete or not there, continued where they ended, and verified."""

from __future__ import annotations

import hashlib
import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runstream.download.downloader import CorruptFileError, Download, Downloader
from runstream.exceptions import CommError
from runstream.server.client import ServerClient, ServerError
from runstream.server.discovery import Server
from tests.http_answers import answering
from tests.unit.download.file_server import FileServer

if TYPE_CHECKING:
    from pathlib import Path

_CONTENT = bytes(range(256)) * 1000


def _file(target: Path, content: bytes = _CONTENT) -> Download:
    return Download(source="/f", target=target, size=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("honors_ranges", [True, False])
def test_answer_that_ends_early_is_continued(tmp_path: Path, honors_ranges: bool) -> None:  # noqa: FBT001
    """The rest is requested; a server that sends everything again is read from the beginning."""
    server = FileServer(_CONTENT, cut=100_000, honors_ranges=honors_ranges)
    seen: list[int] = []
    with server.running(), ServerClient(Server(server.url), 5) as client:
        if honors_ranges:
            Downloader(client, pause_s=0.0, progress=seen.append).download([_file(tmp_path / "new" / "f")])
        else:
            with pytest.raises(CommError):
                Downloader(client, pause_s=0.0).download([_file(tmp_path / "new" / "f")])
            server.cut = 0
            Downloader(client, pause_s=0.0).download([_file(tmp_path / "new" / "f")])
    assert (tmp_path / "new" / "f").read_bytes() == _CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["f"]
    if honors_ranges:
        assert server.ranges == ["", "bytes=100000-", "bytes=200000-"]
        assert sum(seen) == len(_CONTENT)


def test_later_download_continues_an_earlier_one(tmp_path: Path) -> None:
    """What arrived before a failure is not read again, and an existing file is there until the new one is complete."""
    (tmp_path / "f").write_text("old")
    server = FileServer(_CONTENT[:1000])
    with server.running(), ServerClient(Server(server.url), 5) as client:
        with pytest.raises(CorruptFileError, match=r"f' is not written: the server sent 1,000 bytes .*256,000"):
            Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("f", "old")]
        server.content, server.cut, server.ranges = _CONTENT, 100_000, []
        server.honors_ranges = False
        with pytest.raises(CommError, match="No answer"):
            Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
        server.cut, server.ranges, server.honors_ranges = 0, [], True
        Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
    assert server.ranges == ["bytes=100000-"]
    assert (tmp_path / "f").read_bytes() == _CONTENT


def test_other_bytes_than_announced_are_an_error(tmp_path: Path) -> None:
    """The error names the file, which is not written; a damaged part of an earlier download is replaced."""
    server = FileServer(b"x" * len(_CONTENT))
    with server.running(), ServerClient(Server(server.url), 5) as client:
        with pytest.raises(CorruptFileError, match=r"/f' is not written: .*expected SHA-256"):
            Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
        assert list(tmp_path.iterdir()) == []
        server.cut = 1000
        server.honors_ranges = False
        with pytest.raises(CommError):
            Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
        server.content, server.cut, server.honors_ranges = _CONTENT, 0, True
        Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
    assert (tmp_path / "f").read_bytes() == _CONTENT


def test_files_are_downloaded_in_parallel_and_the_first_error_is_raised(tmp_path: Path) -> None:
    """Many files arrive, the empty one too; a target that cannot be written is an OSError that names it."""
    server = FileServer(b"abc")
    with server.running(), ServerClient(Server(server.url), 5) as client:
        Downloader(client, pause_s=0.0).download(_file(tmp_path / str(number), b"abc") for number in range(20))
        assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"abc"}
        server.content = b""
        Downloader(client, pause_s=0.0).download([_file(tmp_path / "empty", b"")])
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "full").touch()
        with pytest.raises(OSError, match="folder"):
            Downloader(client, pause_s=0.0).download([_file(tmp_path / "empty", b""), _file(tmp_path / "folder", b"")])
    assert (tmp_path / "empty").read_bytes() == b""


def test_the_key_is_only_sent_to_its_server(tmp_path: Path) -> None:
    """A URL of another server is requested without the key; an error of the server is raised at once."""
    with (
        answering((200, "abc")) as other,
        answering((404, "{}")) as served,
        ServerClient(Server(served.url, "secret"), 5) as client,
    ):
        Downloader(client, pause_s=0.0).download([Download(source=f"{other.url}/f", target=tmp_path / "f", size=3)])
        with pytest.raises(ServerError):
            Downloader(client, pause_s=0.0).download([Download(source="/f", target=tmp_path / "g", size=3)])
        assert [request.key for request in other.requests] == [None]
        assert [request.key for request in served.requests] == ["secret"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("answer", [(403, "expired"), (200, "<html>a login page</html>"), (200, "abc")])
def test_a_direct_url_that_fails_is_replaced_by_the_server(tmp_path: Path, answer: tuple[int, str]) -> None:
    """The server is asked only if the direct URL, which gets no key, does not have the file."""
    with (
        answering(answer) as store,
        answering((200, "abc")) as served,
        ServerClient(Server(served.url, "secret"), 5) as client,
    ):
        file = _file(tmp_path / "f", b"abc")
        Downloader(client, pause_s=0.0).download([replace(file, direct=f"{store.url}/f")])
        assert {request.key for request in store.requests} == {None}
        assert len(served.requests) == (0 if answer == (200, "abc") else 1)
    assert (tmp_path / "f").read_text() == "abc"


def test_a_full_disk_is_reported_with_the_file(tmp_path: Path) -> None:
    """The error has the path of the file, which is not written."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    server = FileServer(_CONTENT)
    with server.running(), ServerClient(Server(server.url), 5) as client:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(OSError, match=r"too large: .*/f'"):
                Downloader(client, pause_s=0.0).download([_file(tmp_path / "f")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "f").exists()
