"""Which server is used, with which key, and the cached response of the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError
from runstream.server.connection import cache_connection, cached_connection
from runstream.server.discovery import Server, discovery_path, resolve_server, same_origin
from runstream.server.endpoints import connect
from tests.http_answers import answering

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "api_version": 1,
    "cluster_id": "c",
    "brokers": "b:1",
    "prefix": "p",
    "partitions": 8,
    "entity": "e",
    "url": "u",
}


def test_discovery_file_names_the_local_stack(tmp_path: Path) -> None:
    """The discovery file holds URL and token; a damaged one is ignored."""
    environ = {"RUNSTREAM_DATA_DIR": str(tmp_path)}
    assert resolve_server(environ) is None

    discovery_path(environ).write_text(json.dumps({"version": 1, "url": "http://h:1/", "token": "t", "entity": "e"}))
    assert Server("http://h:1", "t") == resolve_server(environ)
    assert "t" not in repr(resolve_server(environ)).removeprefix("Server").replace("http", "")

    discovery_path(environ).write_text('{"url": ')
    assert resolve_server(environ) is None


def test_key_is_returned_with_its_own_server_only(tmp_path: Path) -> None:
    """RUNSTREAM_API_KEY belongs to RUNSTREAM_URL, the token of the discovery file to the local stack."""
    environ = {"RUNSTREAM_DATA_DIR": str(tmp_path), "RUNSTREAM_API_KEY": "k"}
    discovery_path(environ).write_text(json.dumps({"url": "http://h:1", "token": "t"}))
    assert Server("http://h:1", "t") == resolve_server(environ)
    assert Server("http://stranger") == resolve_server(environ, "http://stranger/")

    environ["RUNSTREAM_URL"] = "https://mine/"
    assert Server("https://mine", "k") == resolve_server(environ)
    assert Server("https://MINE:443/", "k").token == getattr(
        resolve_server(environ, "https://MINE:443/"), "token", None
    )
    for other in (
        "http://mine",
        "https://mine:444",
        "https://mine.stranger",
        "https://mine@stranger",
        "mine",
        "http://[",
    ):
        assert Server(other) == resolve_server(environ, other)
    assert Server("http://h:1", "t") == resolve_server(environ, "http://h:1/")


def test_same_origin_compares_scheme_host_and_port() -> None:
    """Paths, case and default ports make no difference."""
    assert same_origin("http://Host/a", "http://host:80/b?c")
    assert not same_origin("http://host", "http://host:8080")
    assert not same_origin("nonsense", "nonsense")


def test_default_data_folder_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting, the data folder of the user is used."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert tmp_path / "runstream/default/discovery.json" == discovery_path({})
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path / ".local/share/runstream/default/discovery.json" == discovery_path({})


def test_connection_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown fields of a newer server are ignored; the response is used when the server is down."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with answering((200, json.dumps(GOOD | {"new": 1}))) as served:
        connection = connect(Server(served.url), 5)
    assert (connection.cluster_id, connection.brokers, connection.partitions) == ("c", "b:1", 8)
    assert connection.heartbeat_interval_s == 15.0

    server = Server("http://h", "token")
    assert cached_connection(server) is None
    cache_connection(server, connection)
    assert connection == cached_connection(server)
    assert cached_connection(Server("http://other")) is None
    assert not any(b"token" in path.read_bytes() for path in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<html>", "is not a Runstream server"),
        ("[]", "is not a Runstream server"),
        ('{"api_version": 1}', "is not a Runstream server"),
        (json.dumps(GOOD | {"api_version": 2}), "version 2"),
    ],
)
def test_unexpected_answer_is_described(answer: str, message: str) -> None:
    """A response of another service differs from one of another API version."""
    with answering((200, answer)) as served, pytest.raises(CommError, match=message):
        connect(Server(served.url), 5)
