"""Errors of requests, and the JSON format of error responses: ``{"error": {"code", "message"}}``."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from runstream_consumers.object_store.store import ObjectDamaged, ObjectMissing, StoreUnavailable
from runstream_consumers.runtime.faults import POSTGRES_ERRORS
from runstream_schemas.topics import RunPath

_CODES = {404: "not_found", 405: "method_not_allowed"}


class Problem(Exception):  # noqa: N818  # a response, named as in RFC 9457
    """An error response; ``code`` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class RunNotFound(Problem):
    """Nothing of the run has arrived."""

    def __init__(self, run: RunPath) -> None:
        super().__init__(404, "run_not_found", f"Unknown run {run}: check its name, or wait until it is delivered.")


class RunDeleted(RunNotFound):
    """The run was deleted."""

    def __init__(self, run: RunPath) -> None:
        Problem.__init__(self, 404, "run_deleted", f"The run {run} was deleted; its id cannot be used again.")


class BadParameter(Problem):
    """A query parameter is invalid."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(422, "bad_parameter", f"{name}: {message}")


class Unavailable(Problem):
    """A service that the API depends on does not answer; retrying later may help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message)


def answer(problem: Problem) -> JSONResponse:
    """Return the JSON response of a problem."""
    headers = {"Retry-After": "2"} if problem.status in {429, 503} else None
    error = {"code": problem.code, "message": problem.message}
    return JSONResponse({"error": error}, status_code=problem.status, headers=headers)


#: Renders a problem as a page, or returns None if the client expects JSON.
Page = Callable[[Request, Problem], Response | None]

#: What requests raise for reasons that are not bugs; see :func:`problem_of`.
EXPECTED: tuple[type[Exception], ...] = (
    Problem,
    HTTPException,
    RequestValidationError,
    *POSTGRES_ERRORS,
    OSError,
    StoreUnavailable,
    ObjectMissing,
    ObjectDamaged,
    TimeoutError,
)


def register(app: FastAPI, page: Page) -> None:
    """Make the application respond to every expected error as JSON, or with a page."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        return page(request, problem) or answer(problem)

    for kind in EXPECTED:
        app.add_exception_handler(kind, handle)


def problem_of(error: Exception) -> Problem:
    """Return the problem that an error is reported as."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return Problem(error.status_code, _CODES.get(error.status_code, "http_error"), str(error.detail))
        case RequestValidationError():
            details = "; ".join(f"{_parameter(item['loc'])}: {item['msg']}" for item in error.errors())
            return Problem(422, "bad_parameter", details)
        case StoreUnavailable() | ObjectMissing() | ObjectDamaged():
            return _problem_of_store(error)
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return _problem_of_postgres(error)
    return Unavailable("database_unreachable", f"Postgres does not answer ({type(error).__name__}).")


def _parameter(location: tuple[int | str, ...]) -> str:
    """Return the name of a parameter; of an item of a list, that of the list."""
    return next((part for part in reversed(location) if isinstance(part, str)), "")


def _problem_of_store(error: Exception) -> Problem:
    if isinstance(error, ObjectMissing):
        return Problem(410, "object_missing", f"The object store does not have the object {error}.")
    if isinstance(error, ObjectDamaged):
        return Problem(410, "object_corrupt", f"The object store has other bytes of the object {error}.")
    return Unavailable("store_unreachable", str(error))


def _problem_of_postgres(error: Exception) -> Problem:
    match error:
        case asyncpg.CharacterNotInRepertoireError() | ValueError():
            return Problem(422, "bad_parameter", "A parameter has a NUL character, or a number that is too large.")
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError():
            return Unavailable("not_ready", "A consumer has not created its tables yet; it may still be starting.")
        case asyncpg.QueryCanceledError():
            return Unavailable("too_slow", "The database took too long; request fewer rows or keys.")
    return Unavailable("database_unreachable", f"Postgres does not answer ({type(error).__name__}).")
