"""Responses that a client has already are not sent again."""

from __future__ import annotations

import hashlib

from fastapi import Request
from starlette.responses import Response


def unless_known(request: Request, response: Response) -> Response:
    """Return a response with its entity tag, or 304 if the client has it already."""
    etag = f'W/"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["ETag"] = etag
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return response
