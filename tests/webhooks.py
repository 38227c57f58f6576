"""A web server that receives messages, as Slack and others do."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Receiver:
    """What was posted, and how the server answers."""

    url: str = ""
    #: The status of the next answers; only messages that are answered with 2xx are accepted.
    status: int = 204
    accepted: list[Any] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    #: The header ``Idempotency-Key`` of each request.
    keys: list[str] = field(default_factory=list)

    def texts(self, part: str = "") -> list[str]:
        """Return the texts of the accepted messages that contain something."""
        return [message["text"] for message in self.accepted if part in message["text"]]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve HTTP requests on a free port until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep the message."""
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.keys.append(self.headers.get("Idempotency-Key", ""))
            status = receiver.status
            (receiver.accepted if status < 300 else receiver.refused).append(message)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
