"""Access rules: Host and Origin checks, the bearer token, and the user's own browser on loopback (docs/adr/0003)."""

from __future__ import annotations

import base64
import posixpath
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runstream_consumers.api.problems import Problem, answer
from runstream_consumers.api.security.peers import Peers

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Required by load balancers; reveal nothing about runs. Compared whole: a longer path names something else.
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
#: Where the static files are mounted; required by the page that answers a browser that is not signed in.
_OPEN_MOUNT = "/static/"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\[\]@/?#:\s]+))(?::[0-9]*)?", re.IGNORECASE)
_HOW = (
    "Send 'Authorization: Bearer TOKEN' with the token in discovery.json in the stack's data folder; the client reads "
    "it from there or from RUNSTREAM_API_KEY. "
    "A browser needs no token when it runs on this machine as the user who started the stack."
)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Not signed in · Runstream</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/runstream.css"></head>
<body><main class="notice"><h1>This stack belongs to another user</h1>
<p>Runstream shows its pages to browsers that run on the same machine, as the user who started the stack.</p>
<p>From another machine, forward the port as that user: <code>ssh -L PORT:127.0.0.1:PORT USER@HOST</code>, with the same
port on both sides, and open <code>http://127.0.0.1:PORT</code>.</p>
<p>Programs need the API key: the token in <code>discovery.json</code> in the data folder of the stack
(<code>~/.local/share/runstream/default</code>, or <code>RUNSTREAM_DATA_DIR</code>) on the machine that runs it. Set
<code>RUNSTREAM_URL</code> and <code>RUNSTREAM_API_KEY</code>, or send <code>Authorization: Bearer TOKEN</code>.</p>
</main></body></html>"""

_SCOPE_KEY = "runstream.principal"


class PrincipalKind(StrEnum):
    """What kind of principal makes a request."""

    USER = "user"
    #: No identity: only the paths that need no token.
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request."""

    id: str
    kind: PrincipalKind


ANONYMOUS = Principal("", PrincipalKind.ANONYMOUS)


def principal_of(request: Request) -> Principal:
    """Return the principal of a request."""
    found: Principal = request.scope[_SCOPE_KEY]
    return found


async def _principal(request: Request) -> Principal:
    return principal_of(request)


ThePrincipal = Annotated[Principal, Depends(_principal)]


class Access:
    """ASGI middleware that refuses what the rules do not permit, and records the principal of all other requests.

    ``user`` is the principal of requests that carry the token or come from the user's own browser, which ``peers``
    recognizes; not if it is None, or if the public URL is not local, since the peer is a proxy then.
    """

    def __init__(self, app: ASGIApp, *, token: str, public_url: str, peers: Peers | None, user: Principal) -> None:
        self._app = app
        self._token = token.encode()
        self._user = user
        public = urlsplit(public_url).hostname
        self._hosts = _LOOPBACK_NAMES | ({public} if public else set())
        self._peers = peers if public in _LOOPBACK_NAMES else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with its principal."""
        if scope["type"] == "websocket":  # No route speaks it, so none needs rules for it.
            await send({"type": "websocket.close"})
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await (self._refusal(scope, Headers(scope=scope)) or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host(hosts[0]) not in self._hosts:
            # A page of another site whose name was made to resolve to this machine (DNS rebinding) has its own Host.
            message = "Invalid Host header: expected a loopback name or the host of the public URL."
            return answer(Problem(403, "host_not_allowed", message))
        if scope["method"] not in _SAFE and not _is_same_origin(headers):
            return answer(Problem(403, "origin_not_allowed", "The request comes from a page of another origin."))
        principal = self._principal(scope, headers)
        if principal is None:
            return _unauthenticated(headers)
        scope[_SCOPE_KEY] = principal
        return None

    def _principal(self, scope: Scope, headers: Headers) -> Principal | None:
        if self._has_token(headers):
            return self._user
        if is_open(scope["path"]):
            return ANONYMOUS
        return self._user if self._is_own_browser(scope, headers) else None

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, credential = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() == "basic":
            # Schema-registry clients send a user name and a password; the token is the password of any user.
            credential = _password(credential)
        elif scheme.lower() != "bearer":
            return False
        return bool(self._token) and secrets.compare_digest(credential.encode(), self._token)

    def _is_own_browser(self, scope: Scope, headers: Headers) -> bool:
        if self._peers is None or scope["method"] not in _SAFE or not scope.get("client") or not scope.get("server"):
            return False
        if any(name in headers for name in (*_FORWARDED, "authorization")) or _is_cross_site(headers):
            # A wrong token is an error that must be reported: with another server, it would be one.
            return False
        return self._peers.is_trusted(tuple(scope["client"]), tuple(scope["server"]))


def is_open(path: str) -> bool:
    """Whether a path needs no token: a health check, or a static file by its plain path."""
    is_plain = path.isprintable() and posixpath.normpath(path) == path
    return path in _OPEN_PATHS or (is_plain and path.startswith(_OPEN_MOUNT))


def _unauthenticated(headers: Headers) -> Response:
    is_page = "text/html" in headers.get("accept", "")
    response = HTMLResponse(_PAGE, 401) if is_page else answer(Problem(401, "not_authenticated", _HOW))
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _password(credential: str) -> str:
    try:
        return base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _host(header: str) -> str:
    """Return the host of a Host header without its port; empty if the header is malformed."""
    found = _HOST.fullmatch(header)
    return "" if found is None else (found["v6"] or found["name"]).lower()


def _is_same_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is None or origin in {f"{scheme}://{headers['host']}" for scheme in ("http", "https")}


def _is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site embeds or fetches this; following a link is permitted (Fetch Metadata, W3C)."""
    site = headers.get("sec-fetch-site", "none")
    return site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != "navigate"
