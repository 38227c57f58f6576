"""Starting and finishing runs with a server that answers, and with one that does not."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from runstream.spool.control_page import ControlPage, Word
from tests.unit.producer.programs import BEGIN, finished
from tests.unit.producer.spooled import only_run, primary, steps_and_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONLINE = BEGIN.replace("offline", "online").replace('{"silent": True}', '{"finish_timeout_s": 0.2}')


@pytest.fixture
def server() -> Iterator[str]:
    """Answer /api/v1/connect and requests for the run's number on a free port."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._respond({"number": 1})

        def do_GET(self) -> None:
            self._respond(
                {
                    "api_version": 1,
                    "cluster_id": "c",
                    "brokers": "127.0.0.1:1",
                    "prefix": "p",
                    "partitions": 8,
                    "entity": "ada",
                    "url": "http://pages.example",
                    "something_new": 1,
                }
            )

        def _respond(self, document: dict[str, Any]) -> None:
            allowed = self.headers["Authorization"] == "Bearer secret-token"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_init_and_finish_without_a_server(tmp_path: Path) -> None:
    """If the server does not answer, init() prints a line and continues, finish() ends, and no row is lost."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"  # accepts connections and never answers
        status, _, errors = finished(tmp_path, "run.log({'x': 1}); run.finish()", begin=ONLINE, RUNSTREAM_URL=url)

    assert status == 0
    assert f"runstream: No answer from {url}" in errors
    assert f"runstream sync {only_run(tmp_path).relative_to(tmp_path)}" in errors
    assert steps_and_values(primary(tmp_path)) == [(0, {"x": 1})]
    with ControlPage(only_run(tmp_path) / "control") as control:
        assert control[Word.FINISH_REQUESTED] == 1


def test_names_are_completed_by_the_server(tmp_path: Path, server: str) -> None:
    """Entity and URLs are those of the server's response, unless it refuses the key."""
    source = "print(run.entity, run.path, run.url, run.project_url)"
    page = "http://pages.example/ada/demo"
    expected = f"ada ada/demo/r1 {page}/runs/r1 {page}\n"
    more = {"RUNSTREAM_URL": server, "RUNSTREAM_API_KEY": "secret-token"}

    _, output, errors = finished(tmp_path, source, begin=ONLINE, **more)
    assert expected == output
    assert f"runstream: 🚀 View run at {page}/runs/r1\n" in errors

    _, output, errors = finished(tmp_path, source, begin=ONLINE, **(more | {"RUNSTREAM_API_KEY": "wrong"}))
    assert output == " demo/r1 None None\n"
    assert "does not accept the API key from RUNSTREAM_API_KEY" in errors
    assert "once that is corrected: runstream sync runstream/run-" in errors
    assert not any(b"secret-token" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
