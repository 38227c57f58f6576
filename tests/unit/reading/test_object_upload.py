"""Uploading the content of a file in the public API: as it is, in parts, and not at all if it is stored."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from runstream import CommError
from runstream.server.api_connection import ApiConnection
from runstream.server.discovery import Server
from runstream.upload.object_upload import upload_object
from tests.unit.shipper.object_server import PART, object_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [0, 5, 2 * PART + 1], ids=["empty", "small", "in parts"])
def test_content_is_stored_once(tmp_path: Path, size: int) -> None:
    """Above 64 MiB it is sent in parts; the progress adds up to the size; what is stored is not sent again."""
    (tmp_path / "f").write_bytes(bytes(size))
    sent: list[int] = []
    with object_server() as server:
        connection = ApiConnection(Server(server.url), timeout=60)
        for _ in range(2):
            stored = upload_object(connection, "team", tmp_path / "f", sent.append)
        connection.client.close()

    assert (stored.size, stored.sha256) == (size, hashlib.sha256(bytes(size)).hexdigest())
    assert server.objects == {stored.sha256: bytes(size)}
    assert len(server.puts) == (3 if size > PART else 1)
    assert sum(sent) == size


def test_what_cannot_be_stored_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    """A store that refuses it, or has lost it when the upload is confirmed, is a CommError."""
    path = tmp_path / "f"
    path.write_bytes(b"content")
    with object_server() as server:
        connection = ApiConnection(Server(server.url), timeout=60)
        server.failures = [403]
        with pytest.raises(CommError, match="does not accept the upload"):
            upload_object(connection, "team", path)
        server.forgotten = {hashlib.sha256(b"content").hexdigest()}
        with pytest.raises(CommError, match=r"Cannot upload '.*/f': it is missing"):
            upload_object(connection, "team", path)
        connection.client.close()
