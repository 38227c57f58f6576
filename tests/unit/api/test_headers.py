"""Which pages may be displayed in a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from runstream_consumers.api.security.headers import SafeHeaders, allow_frames
from runstream_consumers.settings import ServerSettings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/framed":
        allow_frames(Request(scope))
    await PlainTextResponse("")(scope, receive, send)


async def _headers(path: str, ancestors: str = "") -> httpx.Headers:
    transport = httpx.ASGITransport(app=SafeHeaders(_application, ancestors))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get(path)).headers


async def test_responses_cannot_be_framed_by_default() -> None:
    """Only routes that allow it can be framed."""
    headers = await _headers("/", "https://hub.example")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


async def test_notebooks_of_this_machine_can_frame_allowed_pages() -> None:
    """Configured origins can, too; the other headers are unchanged."""
    headers = await _headers("/framed", "https://hub.example")
    _, _, ancestors = headers["Content-Security-Policy"].partition("frame-ancestors ")
    assert {"'self'", "http://localhost:*", "http://127.0.0.1:*", "https://hub.example"} <= set(ancestors.split())
    assert "*" not in ancestors.split()
    assert "X-Frame-Options" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self';" in headers["Content-Security-Policy"]


async def test_frames_that_draw_have_an_origin_of_their_own() -> None:
    """They may load public files and send no requests; pages that notebooks frame may frame them."""
    policy = (await _headers("/static/frames/plotly.html"))["Content-Security-Policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert (parts["sandbox"], parts["default-src"]) == ("allow-scripts", "'none'")
    assert parts["connect-src"] == parts["img-src"] == "data: blob:"
    assert "http://localhost:*" in parts["frame-ancestors"]
    assert (await _headers("/static/vendor/x.js"))["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in await _headers("/api/v1/runs")


@pytest.mark.parametrize("origins", ["*", "https://a; script-src *", "https://a,https://b", "hub.example", "https://"])
def test_an_invalid_list_of_origins_is_refused(origins: str) -> None:
    """The setting cannot weaken the rest of the policy."""
    with pytest.raises(ValidationError, match="expected origins"):
        ServerSettings(kafka="k", postgres="p", frame_ancestors=origins)
