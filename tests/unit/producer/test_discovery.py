"""Which server is used, with which key, and the cached response of the server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError, UsageError
from runstream.server.connection import cache_connection, cached_connection
from runstream.server.discovery import Server, discovery_path, local_stack, resolve_server, same_origin
from runstream.server.endpoints import connect, find_stack
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

#: Texts that are not the URL of a server.
INVALID_URLS = [
    "not-a-url",
    "ftp://x",
    "http://",
    "localhost:8787",
    "127.0.0.1:8787",
    "http://[",
    "http://h:port",
    "http://h:99999",
    "http://h:0",
    "http://a b",
    "http://h?x=1",
    "http://h\x00",
]


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
    for other in ("http://mine", "https://mine:444", "https://mine.stranger", "https://mine@stranger"):
        assert Server(other) == resolve_server(environ, other)
    assert Server("http://h:1", "t") == resolve_server(environ, "http://h:1/")


def test_a_server_that_is_named_now_precedes_the_recorded_one(tmp_path: Path) -> None:
    """The order is: argument, RUNSTREAM_URL, run folder, local stack; the source is named for messages."""
    environ = {"RUNSTREAM_DATA_DIR": str(tmp_path)}
    discovery_path(environ).write_text(json.dumps({"url": "http://local", "token": "t"}))
    named = environ | {"RUNSTREAM_URL": " http://named/ "}

    found = [
        resolve_server(named, "http://given", recorded="http://recorded"),
        resolve_server(named, recorded="http://recorded"),
        resolve_server(environ, recorded="http://recorded"),
        resolve_server(environ, recorded=""),
    ]
    assert [(server.url, server.source) for server in found if server] == [
        ("http://given", "base_url or RUNSTREAM_URL"),
        ("http://named", "RUNSTREAM_URL"),
        ("http://recorded", "the run folder"),
        ("http://local", "the local stack"),
    ]


@pytest.mark.parametrize("url", INVALID_URLS)
def test_a_url_that_is_none_is_an_error(url: str, tmp_path: Path) -> None:
    """It is rejected before any request, wherever it comes from; in a discovery file it is ignored."""
    expected = re.escape(f"Invalid server URL {url!r}: expected http(s)://host[:port] (from RUNSTREAM_URL)")
    with pytest.raises(UsageError, match=expected):
        resolve_server({"RUNSTREAM_URL": url})
    with pytest.raises(UsageError, match="the run folder"):
        resolve_server({"RUNSTREAM_DATA_DIR": str(tmp_path)}, recorded=url)
    (tmp_path / "discovery.json").write_text(json.dumps({"url": url, "token": "t"}))
    assert local_stack({"RUNSTREAM_DATA_DIR": str(tmp_path)}) is None


def test_a_stack_that_moved_to_another_port_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local stack replaces a server that does not answer, or has become another, if its cluster is the same."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    environ = {"RUNSTREAM_DATA_DIR": str(tmp_path)}
    other = json.dumps(GOOD | {"cluster_id": "other"})
    with answering((200, json.dumps(GOOD))) as moved, answering((200, other)) as stranger:
        discovery_path(environ).write_text(json.dumps({"url": moved.url, "token": "t"}))
        gone = Server("http://127.0.0.1:1", source="RUNSTREAM_URL")
        with pytest.raises(CommError, match=r"No answer from http://127\.0\.0\.1:1"):
            find_stack(gone, environ, ["another"], 5)
        server, connection = find_stack(gone, environ, ["c"], 5)
        assert (server.url, server.token, connection.cluster_id) == (moved.url, "t", "c")
        assert server.source == "the local stack, which was at http://127.0.0.1:1"

        cache_connection(gone, connection)
        assert find_stack(gone, environ, [], 5)[0] == server

        recorded, named = Server(stranger.url, source="the run folder"), Server(stranger.url, source="RUNSTREAM_URL")
        assert find_stack(recorded, environ, ["c"], 5)[0] == server
        assert find_stack(recorded, environ, [], 5)[0] == recorded
        assert find_stack(named, environ, ["c"], 5)[0] == named
    assert {request.key for request in stranger.requests} == {None}


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
