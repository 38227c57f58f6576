"""References to files and web servers: what is recorded of them, and following them."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstream import Artifact
from runstream.artifacts.references import reference_store
from runstream.exceptions import CommError, Error

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def web_server(pages: dict[str, tuple[bytes, str]]) -> Iterator[str]:
    """Serve content and ETag by path; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content, etag = pages.get(self.path, (b"", ""))
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Length", str(len(content)))
            if etag:
                self.send_header("ETag", etag)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def test_a_page_is_identified_by_its_etag(tmp_path: Path) -> None:
    """Following the reference gets the content; another ETag by then is a ValueError, no answer a CommError."""
    pages = {"/data/x.bin": (b"12345", '"one"')}
    with web_server(pages) as url:
        (entry,) = Artifact("a", "t").add_reference(f"{url}/data/x.bin")
        assert (entry.path, entry.size, entry.digest) == ("x.bin", 5, "one")
        reference_store("http").fetch(entry, tmp_path / "x")
        assert (tmp_path / "x").read_bytes() == b"12345"

        pages["/data/x.bin"] = (b"54321", '"two"')
        with pytest.raises(ValueError, match=r"has changed since 'x.bin' was logged"):
            reference_store("http").fetch(entry, tmp_path / "y")
        with pytest.raises(CommError, match="404"):
            Artifact("a", "t").add_reference(f"{url}/nothing")
    with pytest.raises(CommError, match="Cannot read the reference"):
        reference_store("http").fetch(entry, tmp_path / "y")


def test_a_changed_file_is_not_what_was_referred_to(tmp_path: Path) -> None:
    """Following the reference copies the file, raises ValueError if it has changed, FileNotFoundError if it is gone."""
    source = Path("data").absolute()
    source.write_text("one")
    (entry,) = Artifact("a", "t").add_reference(source.as_uri())
    reference_store("file").fetch(entry, tmp_path / "x")
    assert (tmp_path / "x").read_text() == "one"

    source.write_text("two")
    with pytest.raises(ValueError, match="has changed since 'data' was logged"):
        reference_store("file").fetch(entry, tmp_path / "y")
    source.unlink()
    with pytest.raises(FileNotFoundError, match="'data' refers to"):
        reference_store("file").fetch(entry, tmp_path / "y")


def test_a_bucket_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what to install; without a look at the bucket nothing is needed."""
    artifact = Artifact("a", "t")
    monkeypatch.setitem(sys.modules, "minio", None)
    with pytest.raises(Error, match=r"need the package minio: pip install 'runstream\[server\]'"):
        artifact.add_reference("s3://bucket/key")
    (entry,) = artifact.add_reference("s3://bucket/key", checksum=False)
    assert entry.ref == "s3://bucket/key"
