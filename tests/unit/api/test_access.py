"""Who may ask the API for what."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse

from runstream_consumers.api.security.access import Access, Policy
from runstream_consumers.api.security.peers import Peers

if TYPE_CHECKING:
    from pathlib import Path

_URL = "http://127.0.0.1:8080"
_TOKEN = {"Authorization": "Bearer secret"}
_LINE = "   0: 0100007F:9C40 0100007F:{port:04X} 01 0:0 0:0 0 {uid} 0 77 1\n"


def _table(uid: int) -> str:
    """Return the kernel's table with the test's connection, whichever of the two ports it names."""
    return "head\n" + "".join(_LINE.format(port=port, uid=uid) for port in (80, 8080))


@pytest.fixture
def peers(tmp_path: Path) -> Peers:
    """Return peers that know the user 1000, who owns the test's connection."""
    (tmp_path / "tcp").write_text(_table(1000))
    (tmp_path / "tcp6").write_text("head\n")
    return Peers(frozenset({1000}), tmp_path)


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
    app = Access(PlainTextResponse("inside"), policy=Policy(token=token, public_url=public_url, peers=peers))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40000))
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        return await client.request(method, path, headers=headers)


async def test_the_token_opens() -> None:
    """A request with the token passes, whoever sends it."""
    assert (await _ask(None, headers=_TOKEN)).text == "inside"


async def test_the_token_opens_as_a_password_too() -> None:
    """Stock registry clients send the token as a password."""
    credential = base64.b64encode(b"anyone:secret").decode()
    assert (await _ask(None, headers={"Authorization": f"Basic {credential}"})).text == "inside"


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", "Basic ????", "Basic c2VjcmV0", "Digest secret", "secret"]
)
async def test_anything_else_is_refused_and_told_how(header: str) -> None:
    """A wrong credential gets 401 with the scheme and what to do."""
    answer = await _ask(None, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert "RUNSTREAM_API_KEY" in answer.json()["error"]["message"]


async def test_no_token_set_means_no_token_fits() -> None:
    """A server without a token is not opened by an empty one."""
    assert (await _ask(None, headers={"Authorization": "Bearer "}, token="")).status_code == 401


async def test_the_own_browser_needs_no_token(peers: Peers) -> None:
    """A GET over loopback from a socket of the same user passes without a token."""
    assert (await _ask(peers)).text == "inside"


async def test_another_users_browser_gets_a_page_that_says_what_to_do(tmp_path: Path) -> None:
    """A socket of another user is refused; a browser gets HTML."""
    (tmp_path / "tcp").write_text(_table(1001))
    answer = await _ask(Peers(frozenset({1000}), tmp_path), headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "ssh -L" in answer.text


async def test_changes_need_the_token_even_from_the_own_user(peers: Peers) -> None:
    """What is not a read is not opened by the user id: a page in the browser could have made it."""
    assert (await _ask(peers, method="POST")).status_code == 401


async def test_a_forwarded_request_is_not_the_proxys(peers: Peers) -> None:
    """A proxy on this machine does not lend its user to those behind it."""
    assert (await _ask(peers, headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 401


async def test_behind_a_public_address_peers_are_not_recognised(peers: Peers) -> None:
    """Where users come by a public URL, the peer on loopback is a proxy."""
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
async def test_a_strange_page_gets_nothing_out_of_the_users_browser(
    peers: Peers, site: str, mode: str, expected: int
) -> None:
    """A link may be followed from anywhere, but no other site's page may fetch or embed."""
    answer = await _ask(peers, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
    assert expected == answer.status_code


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("evil.example.org", 403),
        ("127.0.0.1.example.org", 403),
        ("", 403),
        ("[", 403),
    ],
)
async def test_only_hosts_of_this_server_are_answered(host: str, expected: int) -> None:
    """A name that was rebound to this machine is refused, with the token or without."""
    assert expected == (await _ask(None, headers={**_TOKEN, "Host": host})).status_code


async def test_the_public_host_is_answered() -> None:
    """The host of the public URL is one of ours."""
    answer = await _ask(None, headers=_TOKEN, public_url="https://runs.example.org", url="https://runs.example.org")
    assert answer.text == "inside"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 200),
        ("http://127.0.0.1:8080", 200),
        ("http://127.0.0.1:9999", 403),
        ("https://evil.org", 403),
        ("null", 403),
    ],
)
async def test_changes_come_from_our_own_pages_only(origin: str | None, expected: int) -> None:
    """Anything but a read is refused where its Origin is another one, even with the token."""
    headers = {**_TOKEN, **({"Origin": origin} if origin else {})}
    assert expected == (await _ask(None, method="POST", headers=headers)).status_code


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/runstream.css"])
async def test_health_and_styles_are_open(path: str) -> None:
    """What tells nothing about runs needs no token."""
    assert (await _ask(None, path)).status_code == 200
