"""Response headers that restrict what browsers do with a response: no sniffing, framing, sharing or foreign scripts."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "frame-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors "
)
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
#: Notebooks on the user's machine: Jupyter, and VS Code, whose pages have their own schemes.
_NOTEBOOKS = (
    "'self' http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:* vscode-webview: vscode-file:"
)
_FRAMABLE = "runstream.framable"
_ISOLATED = "runstream.isolated"
#: Of content that users have stored: no requests, and an origin of its own, so that it can read nothing of this server.
_ISOLATION = (
    "default-src 'none'; img-src data: blob:; media-src data: blob:; font-src data:; style-src 'unsafe-inline' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
)
_NO_SCRIPTS = f"{_ISOLATION}sandbox"
_SCRIPTS = f"{_ISOLATION}script-src 'unsafe-inline' 'unsafe-eval' data: blob:; worker-src blob:; sandbox allow-scripts"
#: Documents that draw what the pages send them: they have an origin of their own, run scripts of /static/ only, and can
#: send no requests. They are framed by our pages, which notebooks may frame.
_FRAMES = "/static/frames/"
_DRAWING = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "connect-src data: blob:; font-src data:; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "sandbox allow-scripts; frame-ancestors "
)
#: Libraries and scripts that these documents load from their own origin.
_PUBLIC = ("/static/vendor/", _FRAMES)
_PUBLIC_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-cache",
}


def allow_frames(request: Request) -> None:
    """Permit notebooks to show the response to a request in a frame.

    Only for pages on which nothing can be changed: a framing page can misdirect its user's clicks.
    """
    request.scope[_FRAMABLE] = True


def isolate(request: Request, *, scripts: bool = False) -> None:
    """Isolate the response to a request, which has content that users have stored. Only our pages may frame it."""
    request.scope[_ISOLATED] = _SCRIPTS if scripts else _NO_SCRIPTS


class SafeHeaders:
    """ASGI middleware that adds the headers; responses are not cached unless they permit it.

    ``ancestors`` may frame pages, in addition to notebooks on the user's machine.
    """

    def __init__(self, app: ASGIApp, ancestors: str = "") -> None:
        self._app = app
        self._ancestors = f"{_NOTEBOOKS} {ancestors}".strip()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its response."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                path = scope["path"]
                for name, value in (_HEADERS | _PUBLIC_HEADERS if path.startswith(_PUBLIC) else _HEADERS).items():
                    headers[name] = value
                if isolation := scope.get(_ISOLATED):
                    headers["Content-Security-Policy"] = isolation
                elif path.startswith(_FRAMES):
                    headers["Content-Security-Policy"] = _DRAWING + self._ancestors
                else:
                    self._add_framing(headers, framable=scope.get(_FRAMABLE, False))
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, add)

    def _add_framing(self, headers: MutableHeaders, *, framable: bool) -> None:
        headers["Content-Security-Policy"] = _POLICY + (self._ancestors if framable else "'none'")
        if not framable:
            headers["X-Frame-Options"] = "DENY"
