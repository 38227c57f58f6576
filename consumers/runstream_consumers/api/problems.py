"""What goes wrong in a request, and the one JSON shape every error answer has: ``{"error": {"code", "message"}}``."""

from __future__ import annotations

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from runstream_schemas.topics import RunPath

_CODES = {404: "not_found", 405: "method_not_allowed"}


class Problem(Exception):  # noqa: N818  # an answer, named as HTTP names it (RFC 9457)
    """An answer that is an error; ``code`` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class RunNotFound(Problem):
    """No consumer has heard of the run."""

    def __init__(self, run: RunPath) -> None:
        super().__init__(404, "run_not_found", f"No run {run} is known here; it may not have been delivered yet.")


class BadParameter(Problem):
    """A query parameter has a value that means nothing."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(422, "bad_parameter", f"{name}: {message}")


class Unavailable(Problem):
    """A service behind the API does not answer; asking again later may help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message)


def answer(problem: Problem) -> JSONResponse:
    """Return the JSON answer of a problem."""
    headers = {"Retry-After": "2"} if problem.status == 503 else None  # noqa: PLR2004
    error = {"code": problem.code, "message": problem.message}
    return JSONResponse({"error": error}, status_code=problem.status, headers=headers)


def register(app: FastAPI) -> None:
    """Make the application answer every error in the one shape."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for kind in (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        app.add_exception_handler(kind, _database)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  # registered for this type
    return answer(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type
    return answer(Problem(error.status_code, _CODES.get(error.status_code, "http_error"), str(error.detail)))


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type
    said = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())
    return answer(Problem(422, "bad_parameter", said))


async def _database(_: Request, error: Exception) -> Response:
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
        message = "A consumer has not made its tables yet; it may still be starting."
        return answer(Unavailable("not_ready", message))
    if isinstance(error, asyncpg.QueryCanceledError):
        return answer(Unavailable("too_slow", "The database took too long; ask for fewer rows or keys."))
    return answer(Unavailable("database_unreachable", f"Postgres does not answer ({type(error).__name__})."))
