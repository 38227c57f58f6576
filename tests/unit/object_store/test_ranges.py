"""Requests for ranges over connections that a server may have closed."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from runstream_consumers.object_store.ranges import RangeClient

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Ports of the connections that sent requests.
    ports: ClassVar[list[int]]
    closes = False

    def do_GET(self) -> None:
        """Respond with the path and the range."""
        self.ports.append(self.client_address[1])
        body = f"{self.path} {self.headers['Range']}".encode()
        self.send_response(206)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # Unannounced, as by a server that closes idle connections.
        self.close_connection = self.closes

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def _serving(*, closes: bool) -> Iterator[tuple[RangeClient, list[int]]]:
    class Handler(_Handler):
        ports: ClassVar[list[int]] = []

    Handler.closes = closes
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        client = RangeClient(f"http://127.0.0.1:{server.server_port}/bucket/")
        try:
            yield client, Handler.ports
        finally:
            client.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("closes", [False, True])
def test_requests_share_a_connection_and_outlive_it(*, closes: bool) -> None:
    """A connection is used again; if the server has closed it, another one is opened."""
    with _serving(closes=closes) as (client, ports):
        for number in range(3):
            answer = client.get(f"http://127.0.0.1/bucket/key?n={number}", {"Range": f"bytes=0-{number}"})
            assert (answer.status, answer.data) == (206, f"/bucket/key?n={number} bytes=0-{number}".encode())
        assert len(set(ports)) == (3 if closes else 1)


def test_a_server_that_does_not_answer_is_an_error() -> None:
    """A refused connection is reported at once."""
    with _serving(closes=False) as (client, _):
        pass
    with pytest.raises(ConnectionError):
        client.get("http://127.0.0.1/bucket/key", {})
