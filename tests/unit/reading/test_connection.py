"""What answers and failures of a server mean to a reader."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError, Error, UsageError
from runstream.public_api.connection import Connection
from runstream.public_api.exceptions import AuthenticationError, NotFoundError, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBLEM = json.dumps({"error": {"code": "x", "message": "what went wrong"}})


@contextmanager
def _answering(*answers: tuple[int, str]) -> Iterator[tuple[Connection, list[str]]]:
    """Run a server that gives these answers in turn, the last one for ever; yields also what it was asked."""
    left = list(answers)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        connection = Connection(f"http://127.0.0.1:{server.server_port}/", "secret", timeout=5, patience=0.5)
        try:
            yield connection, asked
        finally:
            connection.close()
            server.shutdown()
            serving.join()


def test_an_answer_is_decoded_and_the_token_sent() -> None:
    """Tagged floats come back as floats; parameters of None are left out, lists repeated."""
    text = '{"a": {"_type": "float", "value": "Infinity"}}'
    with _answering((200, text)) as (connection, asked):
        assert connection.get("/x", keys=["a", "b"], limit=None) == {"a": float("inf")}
        assert asked == ["/x?keys=a&keys=b Bearer secret"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, UsageError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (422, UsageError),
        (500, ServerError),
        (503, ServerError),
    ],
)
def test_each_status_is_an_error_of_its_own(status: int, expected: type[Error]) -> None:
    """The server's message is the error's."""
    with _answering((status, _PROBLEM)) as (connection, _), pytest.raises(expected, match="what went wrong"):
        connection.get("/x")


def test_a_server_that_is_starting_is_asked_again() -> None:
    """A 503 is asked again for a while."""
    with _answering((503, _PROBLEM), (503, _PROBLEM), (200, "{}")) as (connection, asked):
        assert connection.get("/x") == {}
        assert len(asked) == 3


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_that_is_not_ours_is_told_all_the_same(status: int) -> None:
    """A proxy's HTML has no message of ours; the status is told."""
    with _answering((status, "<html>")) as (connection, _), pytest.raises(Error):
        connection.get("/x")


def test_something_else_on_the_port_is_told() -> None:
    """A server that answers 200 with no JSON is no Runstream server."""
    with _answering((200, "<html>hello</html>")) as (connection, _), pytest.raises(CommError, match="no Runstream"):
        connection.get("/x")


def test_where_nothing_listens_the_error_says_what_to_do() -> None:
    """The message has the address and the command that starts a stack."""
    connection = Connection("http://127.0.0.1:1", None, timeout=1)
    with pytest.raises(CommError, match=r"http://127\.0\.0\.1:1 .*runstream up"):
        connection.get("/x")


def test_an_address_that_is_none_is_told() -> None:
    """A URL without a scheme is the caller's error, with a hint."""
    with pytest.raises(UsageError, match="http://host:port"):
        Connection("127.0.0.1:8787", None, timeout=1)
