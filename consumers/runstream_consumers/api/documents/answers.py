"""JSON answers that carry what users logged, non-finite floats included."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from runstream_consumers.api.documents.models import ProblemAnswer
from runstream_schemas import values


class ValuesResponse(Response):
    """A JSON answer whose non-finite floats are tagged (``runstream_schemas.values``)."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the JSON text of the answer; ASCII only."""
        return values.dump(content).encode("ascii")


def described(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI is told of a route that answers with a model, or with a problem."""
    problems = {404: "nothing of the run has arrived", 422: "a parameter means nothing", 503: "ask again later"}
    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": ProblemAnswer, "description": meaning} for status, meaning in problems.items()
    }
    return {200: {"model": model}, **answers}
