"""Who is let in over a real connection; the rules themselves are tested in tests/unit/api."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import uvicorn

from runstream_consumers.api.security.access import Access, Policy
from runstream_consumers.api.security.peers import Peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from socket import socket

    from starlette.types import Receive, Scope, Send

    from tests.integration.api.serving import Served


def test_the_users_own_connection_needs_no_token(served: Served) -> None:
    """A GET from a process of the same user is answered as the kernel vouches for it."""
    assert served.ask("/api/v1/projects", token=None).status_code == 200
    assert served.ask("/", token=None).status_code == 200


def test_a_wrong_token_does_no_harm_to_the_own_user(served: Served) -> None:
    """Who is let in anyway is not kept out by an old token."""
    assert served.ask("/api/v1/projects", token="old").status_code == 200


def test_changes_are_refused_without_the_token(served: Served) -> None:
    """Only reads are open to the own user."""
    assert httpx.post(f"{served.url}/api/v1/runs").status_code == 401


def test_a_strange_host_is_refused(served: Served) -> None:
    """A name that was made to point here is not answered."""
    assert httpx.get(f"{served.url}/api/v1/projects", headers={"Host": "evil.example.org"}).status_code == 403


def test_answers_are_neither_cached_nor_framed_nor_shared(served: Served) -> None:
    """Every answer has the headers that keep a browser from doing more than show it."""
    for path in ("/", "/api/v1/projects", "/nothing", "/static/runstream.css"):
        headers = served.ask(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


async def test_another_users_connection_is_refused() -> None:
    """A server that belongs to another user does not let this process in without the token."""
    stranger = Peers(frozenset({os.getuid() + 1}))
    policy = Policy(token="secret", public_url="http://127.0.0.1", peers=stranger)  # not a secret
    config = uvicorn.Config(
        Access(_inside, policy=policy), host="127.0.0.1", port=0, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    async with _running(server, sockets), httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/", headers={"Authorization": "Bearer secret"})).status_code == 200


@asynccontextmanager
async def _running(server: uvicorn.Server, sockets: list[socket]) -> AsyncIterator[None]:
    serving = asyncio.create_task(server.serve(sockets))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def _inside(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})
