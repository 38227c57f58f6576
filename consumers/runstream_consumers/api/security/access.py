"""Who may ask: the Host and Origin checks, the bearer token, and the user's own browser on loopback (docs/adr/0003)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runstream_consumers.api.problems import Problem, answer
from runstream_consumers.api.security.peers import Peers

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Needed by a load balancer or by a page before it is let in; tell nothing about runs.
_OPEN = ("/healthz", "/readyz", "/static/")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HOW = (
    "Send 'Authorization: Bearer TOKEN' with the token of the stack's discovery file; the client finds it "
    "there or in RUNSTREAM_API_KEY. "
    "A browser is let in without one when it runs on this machine as the user who started the stack."
)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Not signed in · Runstream</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/runstream.css"></head>
<body><main class="notice"><h1>This stack belongs to another user</h1>
<p>Runstream opens its pages to a browser that runs on the same machine, as the user who started the stack.</p>
<p>From another machine, forward the port as that user: <code>ssh -L PORT:127.0.0.1:PORT USER@HOST</code>, with the same
port on both sides. Programs send the token of the discovery file: <code>Authorization: Bearer …</code></p>
</main></body></html>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a request."""

    token: str
    public_url: str
    #: None where peers are not recognised: behind a public address the peer is a proxy, not a user.
    peers: Peers | None


class Access:
    """ASGI middleware that answers what the policy refuses, and passes the rest on."""

    def __init__(self, app: ASGIApp, *, policy: Policy) -> None:
        self._app = app
        self._token = policy.token.encode()
        public = urlsplit(policy.public_url).hostname
        self._hosts = _LOOPBACK_NAMES | ({public} if public else set())
        self._peers = policy.peers if public in _LOOPBACK_NAMES else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if _host(headers.get("host", "")) not in self._hosts:
            # A page of a stranger whose name was made to point here (DNS rebinding) shows itself by its Host.
            return answer(
                Problem(403, "host_not_allowed", "The Host header names neither loopback nor the public URL.")
            )
        if scope["method"] not in _SAFE and not self._same_origin(headers):
            return answer(Problem(403, "origin_not_allowed", "The request comes from a page of another origin."))
        if scope["path"].startswith(_OPEN) or self._has_token(headers) or self._is_own_browser(scope, headers):
            return None
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(_PAGE, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        refused = answer(Problem(401, "not_authenticated", _HOW))
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    def _same_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc == headers.get("host")

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, credential = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() == "basic":
            # Stock registry clients know a user and a password; the token is the password of any user.
            credential = _password(credential)
        elif scheme.lower() != "bearer":
            return False
        return bool(self._token) and secrets.compare_digest(credential.encode(), self._token)

    def _is_own_browser(self, scope: Scope, headers: Headers) -> bool:
        if self._peers is None or scope["method"] not in _SAFE or not scope.get("client") or not scope.get("server"):
            return False
        if any(name in headers for name in _FORWARDED) or _from_strange_page(headers):
            return False
        return self._peers.known(tuple(scope["client"]), tuple(scope["server"]))


def _password(credential: str) -> str:
    try:
        return base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _from_strange_page(headers: Mapping[str, str]) -> bool:
    """Say whether a page of another site embeds or fetches this; following a link is fine (Fetch Metadata, W3C)."""
    site = headers.get("sec-fetch-site", "none")
    return site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != "navigate"
