"""Which answers are compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import Response

from runstream_consumers.server.compression import JsonCompression

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_JSON = "application/json"


@pytest.mark.parametrize(
    ("host", "path", "media_type", "size", "expected"),
    [
        ("10.0.0.7", "/api/v1/runs/a/b/c/scan", _JSON, 5000, "gzip"),
        ("::1", "/api/v1/runs/a/b/c/scan", _JSON, 5000, None),
        ("127.0.0.1", "/api/v1/runs/a/b/c/scan", _JSON, 5000, None),
        ("10.0.0.7", "/api/v1/runs/a/b/c/scan", _JSON, 100, None),
        ("10.0.0.7", "/api/v1/runs/a/b/c/files/x.json", _JSON, 5000, None),
        ("10.0.0.7", "/api/v1/runs/a/b/c/scan", "application/vnd.apache.arrow.stream", 5000, None),
        ("10.0.0.7", "/api/v1/runs/a/b/c/follow", "text/event-stream", 5000, None),
    ],
)
async def test_json_is_compressed_for_other_machines(
    host: str, path: str, media_type: str, size: int, expected: str | None
) -> None:
    """Neither small answers, nor contents, streams and Arrow, nor anything on the same machine."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("[" + "0," * (size // 2) + "0]", media_type=media_type)(scope, receive, send)

    transport = httpx.ASGITransport(JsonCompression(app), client=(host, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.headers.get("Content-Encoding") == expected
        assert answer.text.startswith("[0,0,")
        assert "Content-Encoding" not in (await client.get(path, headers={"Accept-Encoding": "identity"})).headers
