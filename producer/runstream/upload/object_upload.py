"""Uploads the content of a file to the object store, unless it has it: by presigned URLs of the API."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from runstream.exceptions import CommError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runstream.server.api_connection import ApiConnection

_CHUNK = 1024 * 1024
#: Parts for which URLs are requested at once.
_BATCH = 100


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Content in the object store; ``sha256`` is in hexadecimal."""

    sha256: str
    size: int


def upload_object(
    connection: ApiConnection, entity: str, path: Path, progress: Callable[[int], None] = lambda _: None
) -> StoredObject:
    """Store the content of a file for an entity; return it. ``progress`` is called with the bytes of each piece sent.

    Raises:
        OSError: The file cannot be read.
        CommError: The server does not answer or does not accept it, or the file changed meanwhile.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        found = StoredObject(digest, os.fstat(file.fileno()).st_size)
        objects = f"/entities/{quote(entity, safe='')}/objects"
        described = {"sha256": found.sha256, "size": found.size}
        (answer,) = connection.command(objects, {"objects": [described]})["objects"]
        if answer["stored"]:
            return found
        if "url" in answer:
            pieces = _range(file, 0, found.size, progress)
            _put(connection, answer["url"], pieces, found.size, answer.get("headers"))
        else:
            _put_parts(connection, f"{objects}/{digest}", file, found.size, answer, progress)
    (confirmed,) = connection.command(f"{objects}/confirm", {"objects": [described]})["objects"]
    if not confirmed["stored"]:
        reason = confirmed.get("reason") or "the object store does not have it"
        raise CommError(f"Cannot upload {os.fspath(path)!r}: {reason}. Try again")
    return found


def _put_parts(  # noqa: PLR0917 - what is uploaded, and where
    connection: ApiConnection,
    address: str,
    file: IO[bytes],
    size: int,
    answer: Mapping[str, Any],
    progress: Callable[[int], None],
) -> None:
    upload_id, part_size = answer["upload_id"], int(answer["part_size"])
    numbers = range(1, -(-size // part_size) + 1)
    parts: list[dict[str, Any]] = []
    for start in range(0, len(numbers), _BATCH):
        asked = {"upload_id": upload_id, "numbers": list(numbers[start : start + _BATCH])}
        for part in connection.command(f"{address}/parts", asked)["parts"]:
            offset = (part["number"] - 1) * part_size
            length = min(part_size, size - offset)
            etag = _put(connection, part["url"], _range(file, offset, length, progress), length)
            parts.append({"number": part["number"], "etag": etag})
    connection.command(f"{address}/complete", {"upload_id": upload_id, "size": size, "parts": parts})


def _put(
    connection: ApiConnection, url: str, pieces: Iterator[bytes], size: int, headers: Mapping[str, str] | None = None
) -> str:
    """Send bytes; return the ETag of the answer."""
    sent = {**(headers or {}), "Content-Length": str(size)}
    return connection.client.send(url, pieces, sent).strip('"')


def _range(file: IO[bytes], offset: int, size: int, progress: Callable[[int], None]) -> Iterator[bytes]:
    """Yield a range of a file in pieces."""
    file.seek(offset)
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk
        progress(len(chunk))
    if size:
        raise CommError(f"{file.name!r} became shorter while it was uploaded: try again")
