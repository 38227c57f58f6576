"""Finding the server, and asking it for itself."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError
from runstream.server.discovery import (
    Connection,
    Server,
    cache_connection,
    cached_connection,
    connect,
    discovery_path,
    resolve_server,
)

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


def _answer(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _asked(answer: bytes, timeout: float = 5.0) -> Connection:
    """Connect to a server that answers any request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(65536)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return connect(Server(f"http://127.0.0.1:{listener.getsockname()[1]}"), timeout)
        finally:
            thread.join()


def test_the_data_folder_says_where_the_local_stack_is(tmp_path: Path) -> None:
    """The discovery file gives address and token; a broken one gives nothing."""
    environ = {"RUNSTREAM_DATA_DIR": str(tmp_path)}
    assert resolve_server(environ) is None

    discovery_path(environ).write_text(json.dumps({"version": 1, "url": "http://h:1/", "token": "t", "entity": "e"}))
    assert Server("http://h:1", "t") == resolve_server(environ)
    assert Server("http://h:1", "t") == resolve_server(environ, "http://h:1/")
    assert Server("http://other", "") == resolve_server(environ, "http://other")
    assert Server("http://env", "k") == resolve_server(
        environ | {"RUNSTREAM_URL": "http://env", "RUNSTREAM_API_KEY": "k"}
    )
    assert "t" not in repr(resolve_server(environ)).removeprefix("Server").replace("http", "")

    discovery_path(environ).write_text('{"url": ')
    assert resolve_server(environ) is None


def test_the_default_data_folder_follows_xdg(tmp_path: Path) -> None:
    """Without a setting the user's data folder is meant."""
    assert tmp_path / "runstream/default/discovery.json" == discovery_path({"XDG_DATA_HOME": str(tmp_path)})
    assert tmp_path / ".local/share/runstream/default/discovery.json" == discovery_path({"HOME": str(tmp_path)})


def test_a_good_answer_is_understood_and_remembered(tmp_path: Path) -> None:
    """Fields that a newer server adds are passed over; the answer is there when the server is not."""
    connection = _asked(_answer("200 OK", json.dumps(GOOD | {"new": 1}).encode()))
    assert (
        connection.cluster_id,
        connection.brokers,
        connection.partitions,
        connection.heartbeat_interval_s,
    ) == ("c", "b:1", 8, 15.0)

    server, environ = Server("http://h", "token"), {"XDG_CACHE_HOME": str(tmp_path)}
    assert cached_connection(server, environ) is None
    cache_connection(server, connection, environ)
    assert connection == cached_connection(server, environ)
    assert cached_connection(Server("http://other"), environ) is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_answer("401 Unauthorized", b""), "refuses the API key"),
        (_answer("503 Busy", b""), "status 503"),
        (_answer("200 OK", b"<html>"), "no Runstream server"),
        (_answer("200 OK", b"[]"), "no Runstream server"),
        (_answer("200 OK", b'{"api_version": 1}'), "no Runstream server"),
        (_answer("200 OK", json.dumps(GOOD | {"api_version": 2}).encode()), "version 2"),
        (b"garbage\r\n\r\n", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_a_bad_answer_is_named(answer: bytes, message: str) -> None:
    """Each way not to answer has its sentence."""
    with pytest.raises(CommError, match=message):
        _asked(answer)


def test_nobody_there_and_no_address() -> None:
    """A closed port and an address that is none are errors of communication too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CommError, match="does not answer"):
        connect(Server(f"http://127.0.0.1:{port}"), 1.0)
    with pytest.raises(CommError, match="no address"):
        connect(Server("kafka:9092"), 1.0)
