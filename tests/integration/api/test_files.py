"""Files of runs: lists, contents and commands, with a real store."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.integration.api.conftest import new_recording
from tests.integration.api.serving import ENTITY, TOKEN, path
from tests.polling import eventually

if TYPE_CHECKING:
    from runstream_deploy.services.object_store import ObjectStore
    from tests.integration.api.recording import Recording
    from tests.integration.api.serving import Served

_CONTENTS = {
    "table.csv": b"step,loss\n0,1.5\n",
    "page.txt": b"<!doctype html><script>document.title = 'x'</script>",
    "media/images/ä b%20?.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400,
    "empty": b"",
}


def put_object(served: Served, data: bytes) -> None:
    """Store bytes, unless they are stored."""
    digest = hashlib.sha256(data).hexdigest()
    given = {"objects": [{"sha256": digest, "size": len(data)}]}
    (step,) = served.post(f"/api/v1/entities/{ENTITY}/objects", given).json()["objects"]
    if not step["stored"]:
        assert httpx.put(step["url"], content=data, headers=step["headers"]).status_code == 200


def add_file(served: Served, run: Recording, name: str, data: bytes, **headers: str) -> httpx.Response:
    """Return the response to the command that adds a file."""
    given = {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    url = f"{served.url}/api/v1/runs{path(run.run)}/files"
    return httpx.post(url, json=given, headers={"Authorization": f"Bearer {TOKEN}", **headers}, timeout=60)


def ask_file(
    served: Served, run: Recording, name: str, method: str = "GET", query: str = "", **headers: str
) -> httpx.Response:
    """Return the response to a request for a file."""
    url = f"{served.url}/api/v1/runs{path(run.run)}/files/{quote(name)}{query}"
    return httpx.request(method, url, headers={"Authorization": f"Bearer {TOKEN}", **headers}, timeout=60)


def _listed(served: Served, run: Recording, **parameters: Any) -> dict[str, Any]:
    return {one["name"]: one for one in served.run(run, "/files", **parameters)["files"]}


@pytest.fixture(scope="module")
def run(served: Served) -> Recording:
    """Return a run with files."""
    recording = new_recording(uuid.uuid4().hex)
    served.store(recording.start({}))
    for name, data in _CONTENTS.items():
        put_object(served, data)
        assert add_file(served, recording, name, data).json() == {"name": name}
    eventually(lambda: _listed(served, recording).keys() == _CONTENTS.keys())
    return recording


def test_files_are_listed_by_name(served: Served, run: Recording) -> None:
    """A list has size, hash and state of each file; names or a pattern select; pages follow each other."""
    found = _listed(served, run)
    assert list(found) == sorted(_CONTENTS)
    one = found["table.csv"]
    assert (one["size"], one["state"], one["policy"]) == (16, "stored", "now")
    assert one["sha256"] == hashlib.sha256(_CONTENTS["table.csv"]).hexdigest()
    assert httpx.get(one["url"], headers={"Authorization": f"Bearer {TOKEN}"}).content == _CONTENTS["table.csv"]
    assert list(_listed(served, run, name=["empty", "none"])) == ["empty"]
    assert list(_listed(served, run, pattern="media/%.png")) == ["media/images/ä b%20?.png"]
    first = served.run(run, "/files", limit=3)
    rest = served.run(run, "/files", limit=3, after=first["next"])
    assert ([one["name"] for one in [*first["files"], *rest["files"]]], rest["next"]) == (sorted(_CONTENTS), None)


@pytest.mark.parametrize("query", [{"name": "a", "pattern": "b"}, {"pattern": "a\\"}, {"pattern": "%a" * 30}])
def test_invalid_selections_are_refused(served: Served, run: Recording, query: dict[str, str]) -> None:
    """Names with a pattern, and patterns that are none, are errors."""
    answer = served.ask(f"/api/v1/runs{path(run.run)}/files", **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")


@pytest.mark.parametrize("name", _CONTENTS)
def test_a_file_is_read(served: Served, run: Recording, name: str) -> None:
    """The whole content, with its size and an entity tag; HEAD has the same headers."""
    answer, head = ask_file(served, run, name), ask_file(served, run, name, "HEAD")
    data = _CONTENTS[name]
    assert (answer.status_code, answer.content, head.status_code) == (200, data, 200)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    for header in ("ETag", "Content-Length", "Content-Type", "Content-Disposition", "Accept-Ranges"):
        assert head.headers[header] == answer.headers[header]
    assert ask_file(served, run, name, **{"If-None-Match": f'"x", W/{answer.headers["ETag"]}'}).status_code == 304


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-999999999", slice(5, None)),
        ("bytes=-999999999", slice(0, None)),
    ],
)
def test_a_range_is_read(served: Served, run: Recording, header: str, sent: slice) -> None:
    """One range, with open ends and suffixes; the size of the whole is in the response."""
    name = "media/images/ä b%20?.png"
    data = _CONTENTS[name]
    answer = ask_file(served, run, name, Range=header)
    assert (answer.status_code, answer.content) == (206, data[sent])
    first = sent.indices(len(data))[0]
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(data[sent]) - 1}/{len(data)}"
    other = ask_file(served, run, name, **{"Range": header, "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, data)


@pytest.mark.parametrize(
    ("header", "status"), [("bytes=99999999-", 416), ("bytes=-0", 416), ("bytes=5-2", 200), ("x", 200)]
)
def test_ranges_that_cannot_be_read(served: Served, run: Recording, header: str, status: int) -> None:
    """A range beyond the end is an error that names the size; what is no range is ignored."""
    answer = ask_file(served, run, "table.csv", Range=header)
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["Content-Range"] == "bytes */16"


def test_users_content_is_isolated(served: Served, run: Recording) -> None:
    """The media type follows from the bytes, and scripts run at most in an origin of their own."""
    answer = ask_file(served, run, "page.txt")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("; sandbox")
    assert "script-src" not in policy
    scripts = ask_file(served, run, "page.txt", query="?scripts=true").headers["Content-Security-Policy"]
    assert scripts.endswith("; sandbox allow-scripts")
    assert "allow-same-origin" not in scripts
    image = ask_file(served, run, "media/images/ä b%20?.png", query="?download=1")
    assert image.headers["Content-Type"] == "image/png"
    disposition = "attachment; filename=\"_ b_20_.png\"; filename*=UTF-8''%C3%A4%20b%2520%3F.png"
    assert image.headers["Content-Disposition"] == disposition


def test_a_deleted_file_is_gone(served: Served, run: Recording) -> None:
    """A file that was added is deleted by a command; a repeated command with the same key is applied once."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(2):
        assert add_file(served, run, "to delete", b"", **key).status_code == 200
    eventually(lambda: ask_file(served, run, "to delete").status_code == 200)
    assert ask_file(served, run, "to delete", "DELETE").json() == {"name": "to delete"}

    eventually(lambda: ask_file(served, run, "to delete").status_code == 404)
    assert ask_file(served, run, "to delete").json()["error"]["message"].endswith("was deleted.")
    assert "to delete" not in _listed(served, run)
    assert ask_file(served, run, "to delete", "DELETE").status_code == 404


@pytest.mark.parametrize("name", ["none", "../x", "a/../b", "a\0b", "x" * 2000])
def test_unknown_names(served: Served, run: Recording, name: str) -> None:
    """A name that no file has, or can have, is not found; it cannot be added."""
    url = f"{served.url}/api/v1/runs{path(run.run)}/files/{quote(name, safe='')}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404
    if name != "none":
        added = add_file(served, run, name, b"")
        assert (added.status_code, added.json()["error"]["code"]) == (422, "bad_parameter")


def test_a_file_without_bytes_cannot_be_added(served: Served, run: Recording) -> None:
    """The object store is asked first; an unknown run is an error, too."""
    answer = add_file(served, run, "x", b"never stored")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_stored")
    unknown = new_recording("unknown")
    assert add_file(served, unknown, "x", b"").json()["error"]["code"] == "run_not_found"
    assert served.ask(f"/api/v1/runs{path(unknown.run)}/files").json()["error"]["code"] == "run_not_found"


def test_missing_bytes_are_an_error_that_names_the_file(
    served: Served, run: Recording, object_store: ObjectStore
) -> None:
    """A file whose bytes the store has lost is 410, and the bytes can be stored again."""
    data = b"will be lost"
    put_object(served, data)
    assert add_file(served, run, "lost.txt", data).status_code == 200
    eventually(lambda: ask_file(served, run, "lost.txt").status_code == 200)
    digest = hashlib.sha256(data).hexdigest()
    client = object_store.client()
    (key,) = [
        str(one.object_name)
        for one in client.list_objects(served.prefix, recursive=True)
        if str(one.object_name).endswith(digest)
    ]
    client.remove_object(bucket_name=served.prefix, object_name=key)
    answer = ask_file(served, run, "lost.txt")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "object_missing")
    assert "'lost.txt'" in answer.json()["error"]["message"]
    put_object(served, data)
    assert ask_file(served, run, "lost.txt").content == data
