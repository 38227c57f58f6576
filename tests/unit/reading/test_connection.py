"""Responses and failures of a server, and the errors that a reader gets."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from runstream.exceptions import CommError, Error, UsageError
from runstream.public_api.exceptions import AuthenticationError, NotFoundError, ServerError
from runstream.server.api_connection import ApiConnection
from runstream.server.discovery import Server
from tests.http_answers import Answers, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBLEM = json.dumps({"error": {"code": "x", "message": "what went wrong"}})


@contextmanager
def _connected(*answers: tuple[int, str]) -> Iterator[tuple[ApiConnection, Answers]]:
    with answering(*answers) as served:
        yield ApiConnection(Server(f"{served.url}", "secret"), timeout=5, patience=0.5), served


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
def test_each_status_has_its_error(status: int, expected: type[Error]) -> None:
    """The error has the server's message."""
    message = "does not accept the API key" if status == HTTPStatus.UNAUTHORIZED else "what went wrong"
    with _connected((status, _PROBLEM)) as (connection, _), pytest.raises(expected, match=message):
        connection.get("/x")


def test_a_starting_server_is_asked_again() -> None:
    """A request that gets 503 is repeated for a while."""
    with _connected((503, _PROBLEM), (503, _PROBLEM), (200, "{}")) as (connection, served):
        assert connection.get("/x") == {}
        assert len(served.requests) == 3


@pytest.mark.parametrize("status", [404, 500])
def test_a_response_of_a_proxy_is_an_error(status: int) -> None:
    """The response is HTML, without the server's message."""
    with _connected((status, "<html>")) as (connection, _), pytest.raises(Error):
        connection.get("/x")


def test_another_server_on_the_port_is_an_error() -> None:
    """A server that answers 200 without JSON is not a Runstream server."""
    with _connected((200, "<html>hello</html>")) as (connection, _), pytest.raises(CommError, match="not a Runstream"):
        connection.get("/x")


def test_a_missing_server_is_an_error_with_instructions() -> None:
    """The message has the URL and the command that starts a stack."""
    connection = ApiConnection(Server("http://127.0.0.1:1"), timeout=1)
    with pytest.raises(CommError, match=r"http://127\.0\.0\.1:1 .*runstream up"):
        connection.get("/x")


def test_an_invalid_url_is_a_usage_error() -> None:
    """The error for a URL without a scheme has the expected form."""
    with pytest.raises(UsageError, match=r"expected http\(s\)://host"):
        ApiConnection(Server("127.0.0.1:8787"), timeout=1)
