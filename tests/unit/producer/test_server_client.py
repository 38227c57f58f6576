"""The HTTP client for the server's API."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError
from runstream.server.client import AuthenticationError, ServerClient, ServerError
from runstream.server.discovery import Server
from tests.http_answers import answering
from tests.unit.producer.programs import finished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROBLEM = '{"error": {"code": "x", "message": "what went wrong"}}'


@contextmanager
def _sending(*parts: bytes) -> Iterator[str]:
    """Run a server that answers one request in parts and then waits until the client disconnects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(65536)
                try:
                    for part in parts:
                        link.sendall(part)
                        link.settimeout(0.1)
                        with pytest.raises(TimeoutError):
                            link.recv(1)
                except (OSError, pytest.fail.Exception):
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join()


def test_request_sends_key_parameters_and_body() -> None:
    """Parameters of None are left out, lists repeated, and the body is JSON with non-finite floats."""
    answer = '{"a": {"_type": "float", "value": "Infinity"}}'
    with answering((200, answer)) as served, ServerClient(Server(served.url, "secret"), 5) as client:
        found = client.request("POST", "/x", params={"keys": ["a", "b"], "limit": None}, json={"b": float("inf")})

    (request,) = served.requests
    assert found == {"a": float("inf")}
    assert (request.method, request.path, request.key) == ("POST", "/api/v1/x?keys=a&keys=b", "secret")
    assert (request.headers["Content-Type"], request.body) == (
        "application/json",
        '{"b":{"_type":"float","value":"Infinity"}}',
    )


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, _PROBLEM, r"does not accept the API key from RUNSTREAM_API_KEY: check the key"),
        (403, _PROBLEM, r"does not permit the request: what went wrong"),
        (500, _PROBLEM, "what went wrong"),
        (503, "<html>", "answered with status 503"),
        (200, "<html>", "is not a Runstream server"),
    ],
)
def test_errors_carry_the_reason(status: int, body: str, message: str) -> None:
    """The message of the server is passed on; an answer without one is described."""
    with (
        answering((status, body)) as served,
        ServerClient(Server(served.url, "k"), 5) as client,
        pytest.raises(ServerError, match=message),
    ):
        client.request("GET", "/x")


def test_missing_key_is_an_error_with_instructions() -> None:
    """If a server requires a key and none belongs to it, the error names both variables."""
    expected = "set RUNSTREAM_URL=http://127.* together with RUNSTREAM_API_KEY"
    with (
        answering((401, "")) as served,
        ServerClient(Server(served.url), 5) as client,
        pytest.raises(AuthenticationError, match=expected),
    ):
        client.request("GET", "/x")


def test_answer_over_the_limit_is_an_error() -> None:
    """An answer that is too long is refused instead of cut off, and the error names the limit."""
    with answering((200, "[" + "1," * 1000 + "1]")) as served, ServerClient(Server(served.url), 5) as client:
        with pytest.raises(ServerError, match="exceeds the limit of 1,000 bytes"):
            client.request("GET", "/x", limit=1000)
        assert len(client.request("GET", "/x")) == 1001


def test_slow_answer_ends_at_the_deadline() -> None:
    """A server that keeps sending single bytes does not delay a request beyond its deadline."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    late = r"not complete after 0\.5 s"
    with (
        _sending(head, *([b"1"] * 1000)) as url,
        ServerClient(Server(url), 0.5) as client,
        pytest.raises(CommError, match=late),
    ):
        client.request("GET", "/x")


def test_redirect_is_an_error_and_sends_nothing_on() -> None:
    """A redirect is not followed, so another server never sees the key; the error names the target."""
    with answering((200, "{}")) as other:
        with (
            answering((302, ""), Location=other.url) as served,
            ServerClient(Server(served.url, "secret"), 5) as client,
            pytest.raises(ServerError, match=f"redirects to '{other.url}'"),
        ):
            client.request("GET", "/x")
        assert other.requests == []


def test_proxy_of_the_environment_is_used_for_other_hosts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY applies to other machines, unless NO_PROXY names them, and never to this one."""
    with answering((200, '"from the proxy"')) as proxy, answering((200, '"direct"')) as served:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with ServerClient(Server("http://runstream.invalid:80"), 5) as client:
            assert client.request("GET", "/x") == "from the proxy"
        with ServerClient(Server(served.url), 5) as client:
            assert client.request("GET", "/x") == "direct"
        monkeypatch.setenv("NO_PROXY", "runstream.invalid")
        with ServerClient(Server("http://runstream.invalid:80"), 5) as client, pytest.raises(CommError):
            client.request("GET", "/x")
        assert [request.path for request in proxy.requests] == ["http://runstream.invalid/api/v1/x"]


@pytest.mark.parametrize("url", ["kafka:9092", "ftp://host", "http://", "http://[::1", "http://h:port"])
def test_invalid_url_is_named(url: str) -> None:
    """The error has the expected form of a URL."""
    with pytest.raises(CommError, match=r"Invalid server URL .*: expected http\(s\)://host"):
        ServerClient(Server(url), 1)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n"])
def test_an_invalid_answer_is_like_no_answer(answer: bytes) -> None:
    """It makes no difference whether a server closes the connection or sends something other than HTTP."""
    with (
        _sending(answer) as url,
        ServerClient(Server(url), 0.5) as client,
        pytest.raises(CommError, match=f"No answer from {url}"),
    ):
        client.request("GET", "/x")


def test_requests_are_not_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """The log of a training script at level INFO does not have the client's requests."""
    caplog.set_level(logging.INFO)
    with answering((200, "{}")) as served, ServerClient(Server(served.url), 5) as client:
        client.request("GET", "/x")
    assert caplog.records == []


def test_first_request_imports_httpx_without_its_command_line(tmp_path: Path) -> None:
    """The command line of httpx is slow to import; a program can still import it later."""
    source = """
from runstream.exceptions import CommError
from runstream.server.discovery import Server
from runstream.server.endpoints import connect
try:
    connect(Server("http://127.0.0.1:1"), 1)
except CommError:
    print("httpx" in sys.modules, "rich" in sys.modules)
import httpx._main
"""
    assert finished(tmp_path, source, begin="import sys\n") == (0, "True False\n", "")


def test_threads_can_send_their_first_request_at_the_same_time(tmp_path: Path) -> None:
    """The import of httpx succeeds in all threads, as in a shipper that connects and asks for a run number at once."""
    source = """
import threading
from runstream.exceptions import CommError
from runstream.server.discovery import Server
from runstream.server.endpoints import connect
sys.setswitchinterval(1e-6)
barrier, errors = threading.Barrier(8), []
def request():
    barrier.wait()
    try:
        connect(Server("http://127.0.0.1:1"), 1)
    except Exception as error:
        errors.append(type(error) is CommError)
threads = [threading.Thread(target=request) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(errors == [True] * 8)
"""
    assert finished(tmp_path, source, begin="import sys\n") == (0, "True\n", "")
