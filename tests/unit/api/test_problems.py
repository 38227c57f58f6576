"""Errors of requests as responses."""

from __future__ import annotations

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from runstream_consumers.api.problems import problem_of, register


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError("Connection reset by peer"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_connection_that_ends_during_a_query_is_unavailable(error: Exception) -> None:
    """Whatever asyncpg raises when Postgres goes away, the request is answered with 503, to be repeated later."""
    app = FastAPI()
    register(app, lambda _request, _problem: None)

    @app.get("/")
    async def fail() -> None:
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unreachable")
    assert answer.headers["Retry-After"] == "2"


def test_a_parameter_that_postgres_cannot_have_is_the_fault_of_the_request() -> None:
    """A NUL character in a parameter is answered with 422, and not as if Postgres did not answer."""
    problem = problem_of(asyncpg.CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00'))
    assert (problem.status, problem.code) == (422, "bad_parameter")
