"""An HTTP server that returns prepared responses and records the requests."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Request:
    """A received request."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def key(self) -> str | None:
        """The API key that was sent, or None."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ") or None


@dataclass(frozen=True, slots=True)
class Answers:
    """The URL of the server, and the requests so far."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def answering(*answers: tuple[int, str], **headers: str) -> Iterator[Answers]:
    """Run a server that returns these responses in turn, and then the last one repeatedly.

    Args:
        answers: Status and body of each response.
        headers: Headers of every response.
    """
    left = list(answers)
    served: list[Answers] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            served[0].requests.append(Request(self.command, self.path, dict(self.headers), body))
            status, answer = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.encode())

        do_POST = do_GET  # noqa: N815 - the name in the base class

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.append(Answers(f"http://127.0.0.1:{server.server_port}"))
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield served[0]
        finally:
            server.shutdown()
            serving.join()
