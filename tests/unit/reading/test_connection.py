"""What answers and failures of a server mean to a reader."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError, Error, UsageError
from runstream.public_api.connection import Connection
from runstream.public_api.exceptions import AuthenticationError, NotFoundError, ServerError
from runstream.server.discovery import Server
from tests.http_answers import Answers, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBLEM = json.dumps({"error": {"code": "x", "message": "what went wrong"}})


@contextmanager
def _connected(*answers: tuple[int, str]) -> Iterator[tuple[Connection, Answers]]:
    with answering(*answers) as served:
        connection = Connection(Server(f"{served.url}", "secret"), timeout=5, patience=0.5)
        try:
            yield connection, served
        finally:
            connection.close()


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
    with _connected((status, _PROBLEM)) as (connection, _), pytest.raises(expected, match="what went wrong"):
        connection.get("/x")


def test_a_server_that_is_starting_is_asked_again() -> None:
    """A 503 is asked again for a while."""
    with _connected((503, _PROBLEM), (503, _PROBLEM), (200, "{}")) as (connection, served):
        assert connection.get("/x") == {}
        assert len(served.requests) == 3


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_that_is_not_ours_is_told_all_the_same(status: int) -> None:
    """A proxy's HTML has no message of ours; the status is told."""
    with _connected((status, "<html>")) as (connection, _), pytest.raises(Error):
        connection.get("/x")


def test_something_else_on_the_port_is_told() -> None:
    """A server that answers 200 with no JSON is no Runstream server."""
    with _connected((200, "<html>hello</html>")) as (connection, _), pytest.raises(CommError, match="not a Runstream"):
        connection.get("/x")


def test_where_nothing_listens_the_error_says_what_to_do() -> None:
    """The message has the address and the command that starts a stack."""
    connection = Connection(Server("http://127.0.0.1:1"), timeout=1)
    with pytest.raises(CommError, match=r"http://127\.0\.0\.1:1 .*runstream up"):
        connection.get("/x")


def test_an_address_that_is_none_is_told() -> None:
    """A URL without a scheme is the caller's error, with a hint."""
    with pytest.raises(UsageError, match=r"expected http\(s\)://host"):
        Connection(Server("127.0.0.1:8787"), timeout=1)
