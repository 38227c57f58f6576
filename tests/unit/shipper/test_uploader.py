"""Contents are stored once, whatever fails in between, and never other bytes than those of the file."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from runstream.server.discovery import Server
from runstream.shipper.uploads import multipart
from runstream.shipper.uploads.content import ATTEMPTS, KEPT_BYTES, Content
from runstream.shipper.uploads.object_api import BATCH, ObjectApi
from runstream.shipper.uploads.store_client import StoreError
from runstream.shipper.uploads.uploader import Uploader
from tests.unit.shipper.object_server import PART, ObjectServer, object_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    """Return a server of objects."""
    with object_server() as server:
        yield server


@pytest.fixture
def api(server: ObjectServer) -> Iterator[ObjectApi]:
    """Return the client of the server."""
    api = ObjectApi(Server(server.url), "team")
    yield api
    api.close()


@pytest.fixture
def uploader(tmp_path: Path) -> Iterator[Uploader]:
    """Return an uploader."""
    uploader = Uploader(tmp_path / "uploads.json")
    yield uploader
    uploader.close()


def content(folder: Path, name: str, data: bytes) -> Content:
    """Return a content in a file."""
    path = folder / name
    path.write_bytes(data)
    return Content(path=str(path), label=name)


def persist(uploader: Uploader, contents: list[Content], api: ObjectApi, times: int = 20) -> int:
    """Store contents as the shipper does, again after each failure; return the number of failures."""
    for failures in range(times):
        try:
            uploader.store(contents, api)
        except StoreError:
            continue
        return failures
    raise AssertionError(contents)


def digest(data: bytes) -> str:
    """Return the SHA-256."""
    return hashlib.sha256(data).hexdigest()


def test_contents_are_stored_once(tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi) -> None:
    """Equal contents and those that are stored already are not sent; an empty file is an object, too."""
    data = [b"", b"one", b"one", os.urandom(3_000_000)]
    contents = [content(tmp_path, str(number), item) for number, item in enumerate(data)]

    uploader.store(contents, api)
    first = len(server.puts)
    uploader.store([content(tmp_path, "again", data[3])], api)

    assert {digest(item): item for item in data} == server.objects
    assert all(one.stored and one.sha256.hex() == digest(item) for one, item in zip(contents, data, strict=True))
    assert (first, len(server.puts), uploader.sent) == (3, 3, 3_000_003)


@pytest.mark.parametrize("status", [0, 403, 500, 503])
def test_failed_requests_are_repeated(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi, status: int
) -> None:
    """A closed connection, an expired URL and errors of the store delay an upload."""
    server.failures = [200, status, status]
    contents = [content(tmp_path, str(number), os.urandom(100)) for number in range(5)]

    failures = persist(uploader, contents, api)

    assert failures <= 2
    assert all(one.stored for one in contents)
    assert len(server.objects) == 5


@pytest.mark.parametrize("status", [0, 500, 503])
@pytest.mark.parametrize("size", [100, 2 * PART + 1], ids=["small", "in parts"])
def test_api_that_is_down_delays_an_upload(  # noqa: PLR0917 - fixtures and parameters
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi, status: int, size: int
) -> None:
    """It goes on with the request that failed, at the beginning or after the bytes were sent, which are sent once."""
    one = content(tmp_path, "one", bytes(size))
    server.outages = [status] * 3
    server.before_put = lambda _: server.outages.append(status)

    assert persist(uploader, [one], api) >= 2
    assert one.stored
    assert [*server.objects.values()] == [bytes(size)]
    assert len(server.puts) == len(set(server.puts))


def test_object_that_vanished_is_sent_again(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """What the server does not confirm is not regarded as stored."""
    one = content(tmp_path, "a", b"abc")
    server.forgotten = {digest(b"abc")}

    assert persist(uploader, [one], api) == 1
    assert (one.stored, server.objects) == (True, {digest(b"abc"): b"abc"})


def test_file_that_changes_is_read_again(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """If a file is replaced while it is uploaded, its new content is stored, and nothing under a wrong name."""
    one, changed = content(tmp_path, "a", bytes(KEPT_BYTES + 1)), os.urandom(KEPT_BYTES + 2)

    def replace(_: str) -> None:
        if len(server.puts) == 1:
            (tmp_path / "b").write_bytes(changed)
            (tmp_path / "b").replace(tmp_path / "a")

    server.before_put = replace
    persist(uploader, [one], api)

    assert one.sha256.hex() == digest(changed)
    assert all(digest(data) == name for name, data in server.objects.items())


def test_file_that_never_rests_is_lost(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """A file that changes during each upload is lost, with a reason that names it."""
    one = content(tmp_path, "a.log", bytes(KEPT_BYTES + 1))

    def grow(_: str) -> None:
        with (tmp_path / "a.log").open("ab") as file:
            file.write(b"x")

    server.before_put = grow
    persist(uploader, [one], api)

    assert f"a.log was changed each of the {ATTEMPTS} times" in one.lost
    assert all(digest(data) == name for name, data in server.objects.items())


def test_small_file_is_stored_as_it_was_read(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """If a small file is changed while it is uploaded, what was read before is stored, under its own digest."""
    one = content(tmp_path, "a", b"abc")
    server.before_put = lambda _: (tmp_path / "a").unlink()

    uploader.store([one], api)

    assert (one.stored, server.objects, one.data) == (True, {digest(b"abc"): b"abc"}, b"")


def test_many_contents_are_stored_in_batches(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """Contents of several batches are all stored; what the store has acknowledged is confirmed with its MD5."""
    contents = [content(tmp_path, str(number), str(number).encode()) for number in range(BATCH + 5)]

    uploader.store(contents, api)

    assert set(server.objects.values()) == {str(number).encode() for number in range(BATCH + 5)}
    assert all(one.stored for one in contents)
    assert server.acknowledged == set(server.objects)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "loop", "changed"])
def test_unusable_file_is_lost(
    tmp_path: Path, uploader: Uploader, api: ObjectApi, kind: str, server: ObjectServer
) -> None:
    """A file that is missing, no regular file, or not the one that was added is lost; the others are stored."""
    path = tmp_path / "name"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "changed":
            path.write_bytes(b"12")
    expected = (1, 5) if kind == "changed" else None
    contents = [Content(path=str(path), label="model.pt", expected=expected), content(tmp_path, "good", b"good")]

    uploader.store(contents, api)

    assert "model.pt" in contents[0].lost
    assert (contents[1].stored, list(server.objects)) == (True, [digest(b"good")])


def test_large_content_is_resumed(
    tmp_path: Path, server: ObjectServer, api: ObjectApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload in parts is continued by the next uploader with the parts that are missing."""
    monkeypatch.setattr(multipart, "_URLS", 2)  # so that the URLs of the parts need several requests
    data = os.urandom(1024) * (3 * PART // 1024) + b"end"
    one = content(tmp_path, "large", data)
    server.failures = [200, 200, 500]
    first = Uploader(tmp_path / "uploads.json")
    with pytest.raises(StoreError):
        first.store([one], api)
    first.close()
    before = len(server.puts)
    server.failures = []
    again = Content(path=one.path, label="large")
    second = Uploader(tmp_path / "uploads.json")
    second.store([again], api)
    second.close()

    assert (again.stored, server.objects[digest(data)] == data) == (True, True)
    assert len(server.puts) - before == 1 + (before < 4) * (4 - before)
    assert not (tmp_path / "uploads.json").exists()


def test_upload_that_the_store_forgot_begins_again(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """If the store does not know an upload in parts any more, all parts are sent again."""
    data = bytes(2 * PART + 1)
    one = content(tmp_path, "large", data)
    server.failures = [500]
    with pytest.raises(StoreError):
        uploader.store([one], api)
    server.uploads.clear()

    uploader.store([one], api)

    assert (one.stored, server.objects[digest(data)] == data) == (True, True)


def test_known_content_is_only_looked_up(
    tmp_path: Path, server: ObjectServer, uploader: Uploader, api: ObjectApi
) -> None:
    """A content whose digest is known needs no file if it is stored, and is lost if it is not."""
    server.objects[digest(b"abc")] = b"abc"
    known = Content(path=None, label="a", sha256=hashlib.sha256(b"abc").digest(), size=3)
    unknown = Content(path=None, label="b", sha256=hashlib.sha256(b"abd").digest(), size=3)
    other = content(tmp_path, "c", b"xyz")
    other.sha256 = hashlib.sha256(b"zyx").digest()

    uploader.store([known, unknown, other], api)

    assert (known.stored, bool(unknown.lost), "changed after it was added" in other.lost) == (True, True, True)
