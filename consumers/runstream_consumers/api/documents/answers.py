"""JSON responses that carry what users logged, non-finite floats included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from runstream_consumers.api.documents.models import ProblemAnswer
from runstream_schemas import values

#: The media type of an Arrow IPC stream.
ARROW = "application/vnd.apache.arrow.stream"
#: Bytes that are handed to the server at once, which copies them.
_PIECE = 256 * 1024


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


class PiecesResponse(Response):
    """A response of several pieces of memory, which are sent without joining them."""

    def __init__(self, pieces: Sequence[memoryview], media_type: str, headers: Mapping[str, str]) -> None:
        size = sum(piece.nbytes for piece in pieces)
        super().__init__(media_type=media_type, headers={**headers, "Content-Length": str(size)})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            for start in range(0, piece.nbytes, _PIECE):
                await send({"type": "http.response.body", "body": piece[start : start + _PIECE], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def is_arrow_wanted(accept: str) -> bool:
    """Return whether the header Accept of a request asks for an Arrow IPC stream."""
    return any(part.partition(";")[0].strip() == ARROW for part in accept.lower().split(","))


#: The OpenAPI responses of every route; what raises them is in docs/http-api.md.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": meaning}
    for status, meaning in {
        401: "the token is missing or wrong",
        403: "the request names another host, or comes from a page of another origin",
        404: "nothing of the run has arrived, or there is no such thing",
        409: "the state of the run, or of the object store, does not permit it",
        410: "the object store has lost bytes that it had",
        422: "a parameter is invalid",
        429: "too many streams of this client are open",
        503: "retry later",
    }.items()
}


#: Those of a route that returns bytes that were stored, or a part of them.
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "The content"},
    206: {"description": "The requested range"},
    304: {"description": "The client has the content, by its entity tag"},
    416: {"description": "The range is beyond the end"},
}
_EVENT = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("event", "id", "data")} | {"retry": {"type": "integer"}},
}
#: Those of a stream of server-sent events.
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"itemSchema": _EVENT}}, "description": "Server-sent events"},
    204: {"description": "The run has ended, and everything was sent"},
}


def described(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI response of a route that returns a model."""
    return {200: {"model": model}}


def rows_described(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that returns rows, as JSON or as an Arrow IPC stream."""
    found = described(model)
    found[200]["content"] = {ARROW: {"schema": {"type": "string", "format": "binary"}}}
    return found
