"""What goes wrong in a request, and the one JSON shape every error answer has: ``{"error": {"code", "message"}}``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


#: Renders a problem as a page, or returns None for a request that wants JSON.
Page = Callable[[Request, Problem], Response | None]

_EXPECTED: Sequence[type[Exception]] = (
    Problem,
    HTTPException,
    RequestValidationError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


def register(app: FastAPI, page: Page) -> None:
    """Make the application answer every expected error in the one shape, or by a page."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        return page(request, problem) or answer(problem)

    for kind in _EXPECTED:
        app.add_exception_handler(kind, handle)


def problem_of(error: Exception) -> Problem:
    """Return what an error means to whoever asked."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return Problem(error.status_code, _CODES.get(error.status_code, "http_error"), str(error.detail))
        case RequestValidationError():
            said = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in error.errors())
            return Problem(422, "bad_parameter", said)
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError():
            return Unavailable("not_ready", "A consumer has not made its tables yet; it may still be starting.")
        case asyncpg.QueryCanceledError():
            return Unavailable("too_slow", "The database took too long; ask for fewer rows or keys.")
    return Unavailable("database_unreachable", f"Postgres does not answer ({type(error).__name__}).")
