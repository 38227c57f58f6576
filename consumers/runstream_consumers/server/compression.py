"""Compression of JSON for clients on other machines."""

from __future__ import annotations

import ipaddress

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from runstream_consumers.api.documents.answers import ARROW

#: Bytes from which it pays, and the level, which takes a few milliseconds for a page of rows.
_LEAST, _LEVEL = 2048, 1


class JsonCompression:
    """ASGI middleware that compresses answers of the API with gzip for clients that accept it.

    Not on the machine of the server, where sending is cheaper than compressing; neither contents of files, whose entity
    tags and ranges are those of their bytes, nor Arrow and streams.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        excluded = (*DEFAULT_EXCLUDED_CONTENT_TYPES, ARROW)
        self._compressing = GZipMiddleware(app, _LEAST, _LEVEL, exclude_content_types=excluded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        app = self._compressing if scope["type"] == "http" and _pays(scope) else self._app
        await app(scope, receive, send)


def _pays(scope: Scope) -> bool:
    path = scope["path"]
    return path.startswith("/api/") and "/files/" not in path and not _is_local(scope.get("client"))


def _is_local(client: tuple[str, int] | None) -> bool:
    try:
        return client is None or ipaddress.ip_address(client[0]).is_loopback
    except ValueError:  # a socket of the file system
        return True
