"""Access rules of the API: token, own browser, open paths, Host and Origin."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.responses import PlainTextResponse

from runstream_consumers.api.security.access import ANONYMOUS, Access, Principal, PrincipalKind, principal_of
from runstream_consumers.api.security.peers import Peers
from runstream_consumers.server.app import create_app
from runstream_consumers.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_URL = "http://127.0.0.1:8080"
_TOKEN = {"Authorization": "Bearer secret"}
_USER = Principal("ada", PrincipalKind.USER)
_LINE = "   0: 0100007F:9C40 0100007F:{port:04X} 01 0:0 0:0 0 {uid} 0 77 1\n"


def _table(uid: int) -> str:
    """Return the kernel's table with the test's connection, for both ports of the server."""
    return "head\n" + "".join(_LINE.format(port=port, uid=uid) for port in (80, 8080))


@pytest.fixture
def peers(tmp_path: Path) -> Peers:
    """Return peers that trust user 1000, who owns the test's connection."""
    (tmp_path / "tcp").write_text(_table(1000))
    (tmp_path / "tcp6").write_text("head\n")
    return Peers(frozenset({1000}), tmp_path)


async def _name_principal(scope: Scope, receive: Receive, send: Send) -> None:
    principal = principal_of(Request(scope))
    await PlainTextResponse(f"{principal.kind}:{principal.id}")(scope, receive, send)


async def _ask(
    peers: Peers | None,
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    public_url: str = _URL,
    url: str = _URL,
    token: str = "secret",  # not a secret
) -> httpx.Response:
    app = Access(_name_principal, token=token, public_url=public_url, peers=peers, user=_USER)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        return await client.request(method, path, headers=headers)


async def test_token_is_accepted() -> None:
    """A request with the token is passed on as the user, from any peer."""
    assert (await _ask(None, headers=_TOKEN)).text == "user:ada"


async def test_token_is_accepted_as_password() -> None:
    """A schema-registry client may send the token as the password of Basic authentication."""
    credential = base64.b64encode(b"anyone:secret").decode()
    assert (await _ask(None, headers={"Authorization": f"Basic {credential}"})).text == "user:ada"


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", "Basic ????", "Basic c2VjcmV0", "Digest secret", "secret"]
)
async def test_wrong_credential_is_refused_with_instructions(header: str) -> None:
    """A wrong or malformed credential gets 401 with the scheme and a message with instructions."""
    answer = await _ask(None, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert "RUNSTREAM_API_KEY" in answer.json()["error"]["message"]


async def test_empty_token_never_matches() -> None:
    """A server without a token does not accept an empty one."""
    assert (await _ask(None, headers={"Authorization": "Bearer "}, token="")).status_code == 401


async def test_own_browser_needs_no_token(peers: Peers) -> None:
    """A GET over loopback from a socket of the same user passes without a token."""
    assert (await _ask(peers)).text == "user:ada"


async def test_browser_of_another_user_gets_a_page_with_instructions(tmp_path: Path) -> None:
    """A socket of another user is refused, with an HTML page for browsers."""
    (tmp_path / "tcp").write_text(_table(1001))
    answer = await _ask(Peers(frozenset({1000}), tmp_path), headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "ssh -L" in answer.text


async def test_unsafe_methods_need_the_token(peers: Peers) -> None:
    """The user id permits reads only, since any page in the browser can send a POST."""
    assert (await _ask(peers, method="POST")).status_code == 401


async def test_forwarded_request_needs_the_token(peers: Peers) -> None:
    """A proxy on this machine does not pass its user id on to its clients."""
    assert (await _ask(peers, headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 401


async def test_peers_are_ignored_with_a_public_url(peers: Peers) -> None:
    """With a public URL the peer on loopback is a proxy, so its user id is ignored."""
    assert (await _ask(peers, public_url="https://runs.example.org")).status_code == 401


@pytest.mark.parametrize(
    ("site", "mode", "expected"),
    [
        ("none", "navigate", 200),
        ("same-origin", "cors", 200),
        ("cross-site", "navigate", 200),
        ("cross-site", "no-cors", 401),
        ("same-site", "cors", 401),
    ],
)
async def test_cross_site_fetch_needs_the_token(peers: Peers, site: str, mode: str, expected: int) -> None:
    """A link may be followed from anywhere, but a page of another site may not fetch or embed."""
    answer = await _ask(peers, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
    assert expected == answer.status_code


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("LOCALHOST:8080", 200),
        ("evil.example.org", 403),
        ("user@localhost", 403),
        ("localhost/evil.example.org", 403),
        ("localhost:80:80", 403),
        ("127.0.0.1.example.org", 403),
        ("", 403),
        ("[", 403),
    ],
)
async def test_only_own_host_names_are_accepted(host: str, expected: int) -> None:
    """A name that was rebound to this machine is refused, even with the token."""
    assert expected == (await _ask(None, headers={**_TOKEN, "Host": host})).status_code


async def test_public_host_is_accepted() -> None:
    """The host of the public URL is accepted."""
    answer = await _ask(None, headers=_TOKEN, public_url="https://runs.example.org", url="https://runs.example.org")
    assert answer.text == "user:ada"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 200),
        ("http://127.0.0.1:8080", 200),
        ("http://127.0.0.1:9999", 403),
        ("https://evil.org", 403),
        ("null", 403),
        ("http://[", 403),
        ("http://user@127.0.0.1:8080", 403),
    ],
)
async def test_unsafe_methods_need_the_own_origin(origin: str | None, expected: int) -> None:
    """A request that is not a read is refused if its Origin is another one, even with the token."""
    headers = {**_TOKEN, **({"Origin": origin} if origin else {})}
    assert expected == (await _ask(None, method="POST", headers=headers)).status_code


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/runstream.css"])
async def test_health_and_static_files_are_open(path: str) -> None:
    """Health checks and static files need no token, and their principal is anonymous."""
    assert (await _ask(None, path)).text == f"{ANONYMOUS.kind}:"


# --- the whole application: every route, by every spelling, without a token


def _application() -> FastAPI:
    settings = ServerSettings(kafka="127.0.0.1:1", postgres="postgresql://127.0.0.1:1/none", token="secret")
    return create_app(settings, peers=Peers(frozenset(), Path("/nonexistent")))


def _spellings(app: FastAPI) -> Iterator[str]:
    """Yield paths that resemble the open ones: each route with its parameters filled in, each path in odd spellings."""
    names = ("readyz", "healthz2", "static")
    paths = {"/healthz", "/readyz", "/static/runstream.css"}
    for route in iter_route_contexts(app.routes):
        paths |= {re.sub(r"{.*?}", name, route.path or "/") for name in names}
    for path in paths:
        yield path
        yield from (f"{path}/", f"/{path}", f"{path}2", f"{path}-team/proj", f"{path}/../api/v1/runs", path.upper())
        yield from (
            f"{open_}/..{path}" for open_ in ("/healthz", "/readyz", "/static", "/static/.", "/static/vendor/..")
        )
        yield from (f"/static/{path}", f"/static/./..{path}", f"/./{path}", f"{path};/healthz", f"{path}\x00")


async def _status(app: ASGIApp, path: str, method: str) -> int:
    messages: list[Message] = []
    incoming: list[Message] = [{"type": "http.request", "body": b""}]

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    # Servers decode a path before routing, so the encoded forms (%2e%2e, %2f) arrive like this as well.
    scope = {"type": "http", "method": method, "path": path, "raw_path": quote(path).encode(), "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    await app({**scope, "scheme": "http", "http_version": "1.1"}, receive, send)
    status: int = messages[0]["status"]
    return status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
async def test_no_spelling_of_a_path_bypasses_the_token(method: str) -> None:
    """Without a token every path of the application is refused, except the open ones in their exact spelling."""
    app = _application()
    open_ = {"/healthz", "/readyz"}
    spellings = {path for path in _spellings(app) if path not in open_}
    assert len(spellings) > 500
    answered = {path: status for path in spellings if (status := await _status(app, path, method)) != 401}
    files = {path for path in answered if path.startswith("/static/") and ".." not in path.split("/")}
    assert answered.keys() - files == set()
    assert {answered[path] for path in files} <= {200, 404, 405}


async def test_websockets_are_closed() -> None:
    """A WebSocket handshake is refused before it reaches the application."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await _application()({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close"}]
