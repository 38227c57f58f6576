"""Who may show an answer in a frame."""

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


async def test_nobody_may_frame_an_answer() -> None:
    """Unless its route says so."""
    headers = await _headers("/", "https://hub.example")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


async def test_notebooks_of_this_machine_may_frame_what_may_be_framed() -> None:
    """And the origins of the setting; all other headers stay."""
    headers = await _headers("/framed", "https://hub.example")
    _, _, ancestors = headers["Content-Security-Policy"].partition("frame-ancestors ")
    assert {"'self'", "http://localhost:*", "http://127.0.0.1:*", "https://hub.example"} <= set(ancestors.split())
    assert "*" not in ancestors.split()
    assert "X-Frame-Options" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self';" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("origins", ["*", "https://a; script-src *", "https://a,https://b", "hub.example", "https://"])
def test_what_is_no_list_of_origins_is_refused(origins: str) -> None:
    """A setting cannot loosen the rest of the policy."""
    with pytest.raises(ValidationError, match="Invalid origins"):
        ServerSettings(kafka="k", postgres="p", frame_ancestors=origins)
