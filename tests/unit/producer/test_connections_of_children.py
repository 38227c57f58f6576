"""Requests of child processes that got a client from their parent."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from runstream.server.client import ServerClient
from runstream.server.discovery import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


class PortHandler(BaseHTTPRequestHandler):
    """Keeps connections open, and answers with the client's port."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """Run a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), PortHandler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_forked_child_has_its_own_connection(url: str) -> None:
    """It does not send requests on the connection of its parent."""
    with ServerClient(Server(url, "secret"), 10) as client:
        ours = client.request("GET", "/x")
        with ProcessPoolExecutor(1, get_context("fork")) as pool:
            theirs = pool.submit(client.request, "GET", "/x").result(60)

        assert client.request("GET", "/x") == ours != theirs


def test_a_client_can_be_pickled(url: str) -> None:
    """A spawned process can use a copy, which connects itself."""
    with ServerClient(Server(url, "secret"), 10) as client, pickle.loads(pickle.dumps(client)) as copy:
        assert client.request("GET", "/x") != copy.request("GET", "/x")
