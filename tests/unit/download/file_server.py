"""An HTTP server of one file, with ranges, that ends some of its answers early."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class FileServer:
    """``cut`` is the number of bytes after which each answer ends; ``ranges`` the requested ranges so far."""

    content: bytes
    cut: int = 0
    honors_ranges: bool = True
    url: str = ""
    ranges: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[FileServer]:
        """Serve until the end of the context."""
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range", "")
                served.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and served.honors_ranges else 0
                body = served.content[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: served.cut or None])
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
                """Print nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}"
            serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            serving.start()
            try:
                yield self
            finally:
                server.shutdown()
                serving.join()
