"""An HTTP server with the routes of objects and an object store in memory, whose answers a test can spoil."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SINGLE = 64 * 1024 * 1024
PART = 32 * 1024 * 1024


@dataclass
class ObjectServer:
    """What the server has and received."""

    url: str = ""
    #: By SHA-256.
    objects: dict[str, bytes] = field(default_factory=dict)
    #: By upload id, the parts by number.
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    #: The files of the run, as the API lists them.
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Method and path of each request, without the query.
    requests: list[tuple[str, str]] = field(default_factory=list)
    #: Statuses of the next PUTs; 0 closes the connection.
    failures: list[int] = field(default_factory=list)
    #: Statuses of the next requests of the API; 0 closes the connection.
    outages: list[int] = field(default_factory=list)
    #: Called with the path before a PUT is answered.
    before_put: Callable[[str], None] = lambda _: None
    #: Hexadecimal digests of the objects that a client says were acknowledged with their MD5.
    acknowledged: set[str] = field(default_factory=set)
    #: Hexadecimal digests of objects that the server forgets once, after their upload.
    forgotten: set[str] = field(default_factory=set)
    #: How long it keeps an object that nothing refers to; statuses of the next commits of
    #: artifacts, before which it deletes all objects.
    kept_s: float = 3600.0
    refusals: list[int] = field(default_factory=list)

    @property
    def puts(self) -> list[str]:
        """The paths of the PUTs."""
        return [path for method, path in self.requests if method == "PUT"]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:  # noqa: PLR0911 (a return for each route)
        """Return the answer to a request of the API."""
        if path == "/api/v1/runs/team/p/r/files":
            return {"files": [self.files[name] for name in query["name"] if name in self.files], "next": None}
        if path.startswith("/api/v1/artifacts/"):
            return self._decision(path.rpartition("/")[2], body)
        parts = path.removeprefix("/api/v1/entities/team/objects").strip("/").split("/")
        match method, parts:
            case "POST", [""]:
                orders = [self._order(item) for item in body["objects"]]
                return {"objects": orders, "expires_s": 60, "kept_s": self.kept_s}
            case "POST", ["confirm"]:
                return {"objects": [self._confirmed(item) for item in body["objects"]]}
            case "POST", [sha256, "parts"]:
                address = f"{self.url}/store/{sha256}/{body['upload_id']}"
                return {"parts": [{"number": one, "url": f"{address}/{one}?x=1"} for one in body["numbers"]]}
            case "GET", [_, "parts"]:
                found = self.uploads.get(query["upload_id"][0])
                if found is None:
                    return None
                return {"parts": [{"number": n, "etag": _etag(part), "size": len(part)} for n, part in found.items()]}
            case "POST", [sha256, "complete"]:
                found = self.uploads.pop(body["upload_id"])
                self.objects[sha256] = b"".join(found[part["number"]] for part in body["parts"])
                return {"stored": True}
        raise AssertionError(path)

    def trouble(self, path: str) -> int | None:
        """Return the status of a request of the API that fails now; None if it does not."""
        if self.outages:
            return self.outages.pop(0)
        if path.endswith("/commits") and self.refusals:
            self.objects.clear()
            return self.refusals.pop()
        return None

    def put(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """Store a body; return the status."""
        self.requests.append(("PUT", path))
        self.before_put(path)
        if self.failures and (status := self.failures.pop(0)) != 200:
            return status
        _, _, sha256, *part = path.split("/")
        if part:
            self.uploads[part[0]][int(part[1])] = body
            return 200
        if headers.get("Content-MD5") not in {None, base64.b64encode(hashlib.md5(body).digest()).decode()}:
            return 400
        self.objects[sha256] = body
        return 200

    @staticmethod
    def _decision(what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the decision about an artifact: its version is 4, in the target of a link 7."""
        if what == "links":
            return {"target_version": 7, "target_decision": 12, "version": body["version"], "digest": ""}
        kept = {name: body[name] for name in ("type", "digest", "manifest_key", "size", "file_count")}
        return {"version": 4, "decision": 11, "draft": None, **kept}

    def _order(self, item: dict[str, Any]) -> dict[str, Any]:
        sha256 = item["sha256"]
        if sha256 in self.objects:
            return {"sha256": sha256, "stored": True}
        if item["size"] > SINGLE:
            upload = f"upload{len(self.uploads)}"
            self.uploads[upload] = {}
            return {"sha256": sha256, "stored": False, "upload_id": upload, "part_size": PART}
        headers = {"Content-MD5": item["md5"]} if "md5" in item else {}
        return {"sha256": sha256, "stored": False, "url": f"{self.url}/store/{sha256}?x=1", "headers": headers}

    def _confirmed(self, item: dict[str, Any]) -> dict[str, Any]:
        sha256 = item["sha256"]
        if item.get("md5") == base64.b64encode(hashlib.md5(self.objects.get(sha256, b"")).digest()).decode():
            self.acknowledged.add(sha256)
        if sha256 in self.forgotten:
            self.forgotten.discard(sha256)
            self.objects.pop(sha256, None)
        stored = len(self.objects.get(sha256, b"")) == item["size"] and sha256 in self.objects
        return {"sha256": sha256, "stored": stored, "reason": "" if stored else "it is missing"}


def _etag(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """Run a server until the block ends."""
    server = ObjectServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _send(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _end(self, status: int, **headers: str) -> None:
            if status:
                self._send(status, b"", **headers)
            else:
                self.close_connection = True

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            server.requests.append((self.command, address.path))
            body = json.loads(self._body() or b"{}")
            if (status := server.trouble(address.path)) is not None:
                self._end(status)
                return
            answer = server.answer(self.command, address.path, parse_qs(address.query), body)
            missing = {"error": {"code": "not_found", "message": "unknown upload"}}
            self._send(404 if answer is None else 200, json.dumps(answer or missing).encode())

        do_POST = do_GET  # noqa: N815 - the name in the base class

        def do_PUT(self) -> None:
            body = self._body()
            status = server.put(urlsplit(self.path).path, body, dict(self.headers))
            self._end(status, ETag=f'"{_etag(body)}"')

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Keep quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
