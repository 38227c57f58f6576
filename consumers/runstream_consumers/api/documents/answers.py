"""JSON responses that carry what users logged, non-finite floats included."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from runstream_consumers.api.documents.models import ProblemAnswer
from runstream_schemas import values

#: The media type of an Arrow IPC stream.
ARROW = "application/vnd.apache.arrow.stream"


class ValuesResponse(Response):
    """A JSON response made of a model, or of a nested dict; non-finite floats are tagged, and the text is ASCII.

    FastAPI's own serialization would write them as null, and fail on lone surrogates.
    """

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the JSON text of the response."""
        if isinstance(content, BaseModel):
            content = content.model_dump(by_alias=True)
        return values.dump(content).encode("ascii")


def is_arrow_wanted(accept: str) -> bool:
    """Return whether the header Accept of a request asks for an Arrow IPC stream."""
    return any(part.partition(";")[0].strip() == ARROW for part in accept.lower().split(","))


def described(model: type[BaseModel] | None) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that returns a model, or an error."""
    problems = {404: "nothing of the run has arrived", 422: "a parameter is invalid", 503: "retry later"}
    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": ProblemAnswer, "description": meaning} for status, meaning in problems.items()
    }
    return answers if model is None else {200: {"model": model}, **answers}


def rows_described(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that returns rows, as JSON or as an Arrow IPC stream."""
    found = described(model)
    found[200]["content"] = {ARROW: {"schema": {"type": "string", "format": "binary"}}}
    return found
