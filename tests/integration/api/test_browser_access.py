"""Access over real connections; the rules themselves are tested in tests/unit/api."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import uvicorn

from runstream_consumers.api.security.access import Access, Principal, PrincipalKind
from runstream_consumers.api.security.peers import Peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from socket import socket

    from starlette.types import Receive, Scope, Send

    from tests.integration.api.serving import Served


_USER = Principal("ada", PrincipalKind.USER)


def test_own_connection_needs_no_token(served: Served) -> None:
    """A GET from a process of the same user is answered: the kernel identifies the owner of its socket."""
    assert served.ask("/api/v1/projects", token=None).status_code == 200
    assert served.ask("/", token=None).status_code == 200


async def test_encoded_path_does_not_bypass_the_token() -> None:
    """A path that only begins like an open one, encoded or not, is refused over a real connection."""
    async with _serving(None) as (host, port):
        paths = ("/readyz-team/proj", "/healthz2/p/runs/x", "/static/%2e%2e/api/v1/runs", "/static/..%2fapi/v1/runs")
        for path in (*paths, "//healthz", "/healthz/", "/healthz%2f..%2fapi", "/%73tatic/../api/v1/runs"):
            assert await _raw_status(host, port, path) == 401, path
        assert await _raw_status(host, port, "/healthz") == 200


def test_own_connection_with_a_wrong_token_is_refused(served: Served) -> None:
    """A request with a wrong token gets 401, even over a connection that needs none."""
    assert served.ask("/api/v1/projects", token="old").status_code == 401


def test_unsafe_methods_need_the_token(served: Served) -> None:
    """The user id of the connection permits reads only."""
    assert httpx.post(f"{served.url}/api/v1/runs").status_code == 401


def test_foreign_host_header_is_refused(served: Served) -> None:
    """A request whose Host names another server gets 403."""
    assert httpx.get(f"{served.url}/api/v1/projects", headers={"Host": "evil.example.org"}).status_code == 403


def test_responses_carry_security_headers(served: Served) -> None:
    """Every response forbids framing, sniffing and cross-origin use."""
    for path in ("/", "/api/v1/projects", "/nothing", "/static/runstream.css"):
        headers = served.ask(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


async def test_connection_of_another_user_is_refused() -> None:
    """A server of another user accepts this process with the token only."""
    stranger = Peers(frozenset({os.getuid() + 1}))
    async with _serving(stranger) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/", headers={"Authorization": "Bearer secret"})).status_code == 200


async def _raw_status(host: str, port: int, path: str) -> int:
    """Send a path byte by byte, as no client library does: they normalize it."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    return status


@asynccontextmanager
async def _serving(peers: Peers | None) -> AsyncIterator[tuple[str, int]]:
    app = Access(_inside, token="secret", public_url="http://127.0.0.1", peers=peers, user=_USER)  # not a secret
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server, sockets = uvicorn.Server(config), [config.bind_socket()]
    async with _running(server, sockets):
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        yield sockets[0].getsockname()[:2]


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
