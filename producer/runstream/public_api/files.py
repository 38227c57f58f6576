"""The files of a run, read from the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from mimetypes import guess_type
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from runstream.download.downloader import Download, Downloader
from runstream.download.transfer_progress import TransferProgress
from runstream.public_api.exceptions import MissingFileError
from runstream.public_api.pages import Pages
from runstream.server.api_connection import ApiConnection
from runstream.server.settling import until
from runstream.upload.object_upload import upload_object
from runstream_schemas.stored.names import problem_of_name


class File:
    """A file of a run. Its properties are those of the time at which it was listed."""

    def __init__(self, connection: ApiConnection, address: str, document: dict[str, Any]) -> None:
        self._connection = connection
        self._address = address
        self._document = document

    def __repr__(self) -> str:
        return f"<File {self.name} ({self.mimetype}) {self.size:,} bytes>"

    @property
    def connection(self) -> ApiConnection:
        """The connection to the server that has the file."""
        return self._connection

    @property
    def id(self) -> str:
        """The identifier of the content: its SHA-256."""
        return self.sha256

    @property
    def name(self) -> str:
        """The path of the file in the run."""
        return str(self._document["name"])

    @property
    def size(self) -> int:
        """The size in bytes."""
        return int(self._document["size"] or 0)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content in hexadecimal; empty if it is not stored."""
        return str(self._document["sha256"] or "")

    @property
    def mimetype(self) -> str:
        """The media type, as the client recorded it or the name implies."""
        return str(self._document.get("media_type") or guess_type(self.name)[0] or "application/octet-stream")

    @property
    def updated_at(self) -> str:
        """When the content was stored, in ISO 8601."""
        return str(self._document["updated_at"])

    @property
    def created_at(self) -> datetime:
        """:attr:`updated_at` as a datetime."""
        return datetime.fromisoformat(self.updated_at)

    @property
    def policy(self) -> str:
        """The policy with which the file was saved: live, now or end."""
        return str(self._document["policy"])

    @property
    def state(self) -> str:
        """``stored``; ``uploading``; or ``dropped`` if the file could not be stored: see :attr:`reason`."""
        return str(self._document["state"])

    @property
    def reason(self) -> str:
        """Why the file could not be stored, or empty."""
        return str(self._document.get("reason") or "")

    @property
    def url(self) -> str:
        """The URL of the content, which requires the API key."""
        return f"{self._connection.url}/api/v1{self._path}"

    @property
    def direct_url(self) -> str:
        """The URL of the content as an attachment, which requires the API key."""
        return f"{self.url}?download=1"

    @property
    def path_uri(self) -> str:
        """The URI of the content; since the object store is private, :attr:`url`."""
        return self.url

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,  # noqa: FBT001, FBT002  # W&B's signature
        exist_ok: bool = False,  # noqa: FBT001, FBT002
        api: Any = None,  # noqa: ARG002
    ) -> TextIO:
        """Download the file to a folder, below its own folders; return it open for reading.

        After a second, a terminal shows how far it is.

        Args:
            root: The folder.
            replace: Replace an existing file.
            exist_ok: Keep an existing file, and open it.
            api: Ignored; accepted for W&B compatibility.

        Raises:
            ValueError: The file exists, and neither ``replace`` nor ``exist_ok`` is set; or its name is invalid.
            CommError: The server does not answer, or with other bytes than announced; or there is no content.
        """
        target = self.target(root)
        if target.exists() and not replace:
            if exist_ok:
                return target.open()
            raise ValueError(
                f"{os.fspath(target)!r} exists: pass replace=True to replace it or exist_ok=True to keep it"
            )
        with TransferProgress(self.name, self.size) as progress:
            Downloader(self._connection.client, progress=progress.add).download([self.wanted(root)])
        return target.open()

    def target(self, root: str | os.PathLike[str]) -> Path:
        """Return where the file is below a local folder; raises ValueError if its name leads elsewhere."""
        if problem := problem_of_name(self.name):
            raise ValueError(f"Invalid name {self.name!r} of a file of a run: {problem}")
        return Path(root, self.name)

    def wanted(self, root: str | os.PathLike[str]) -> Download:
        """Return the download of the file to a local folder; raises MissingFileError if its content is not stored."""
        if self.state != "stored":
            raise MissingFileError(f"The content of {self.name!r} is not stored: {self.reason or self.state}")
        return Download(source=self._path, target=self.target(root), size=self.size, sha256=self.sha256)

    def delete(self) -> None:
        """Delete the file from the run, permanently; returns once it is no longer listed.

        Raises:
            NotFoundError: The run has no such file any more.
            CommError: The server does not answer.
        """
        self._connection.command(self._path, method="DELETE")
        until(lambda: not Files(self._connection, self._address, [self.name]), f"delete {self.name!r}")

    @property
    def _path(self) -> str:
        return f"{self._address}/files/{quote(self.name)}"


class Files(Pages[File]):
    """Files of a run by name; pages are read as they are needed, and kept.

    Args:
        connection: The connection to the server.
        address: The path of the run in the API.
        names: Exact names; None for all files.
        pattern: A pattern of SQL's ``LIKE``: ``%`` for any characters, ``_`` for one.
        per_page: Number of files of a page.

    Raises:
        ValueError: Both names and a pattern are given.
    """

    def __init__(
        self,
        connection: ApiConnection,
        address: str,
        names: Sequence[str] | None = None,
        pattern: str | None = None,
        per_page: int = 50,
    ) -> None:
        super().__init__()
        if names and pattern:
            raise ValueError(f"Invalid names={names!r} with pattern={pattern!r}: pass one of them")
        self._connection = connection
        self._address = address
        self._asked: dict[str, Any] = {"name": [names] if isinstance(names, str) else list(names or ()) or None}
        self._asked |= {"pattern": pattern or None, "limit": per_page}

    def __repr__(self) -> str:
        return f"<Files {self._address.removeprefix('/runs/')}>"

    def _page(self, after: str | None) -> tuple[list[File], str | None]:
        page = self._connection.get(f"{self._address}/files", **self._asked, after=after)
        return [File(self._connection, self._address, document) for document in page["files"]], page["next"]


def download_files(files: Sequence[File], root: str | os.PathLike[str], progress: Callable[[int], None]) -> None:
    """Download files of a run to a local folder, in parallel, and replace existing ones.

    ``progress`` is called with the number of bytes of each part that arrived. Raises as :meth:`File.download`.
    """
    if files:
        client = files[0].connection.client
        Downloader(client, progress=progress).download([file.wanted(root) for file in files])


def file_named(connection: ApiConnection, address: str, name: str) -> File:
    """Return the file of a run with a name; raises MissingFileError."""
    for file in Files(connection, address, [name], per_page=1):
        return file
    raise MissingFileError(f"The run has no file {name!r}")


def upload_file(
    connection: ApiConnection, address: str, entity: str, path: str | os.PathLike[str], root: str | os.PathLike[str]
) -> File:
    """Upload a file to a run; its name is its path relative to ``root``. Returns once the file is listed.

    After a second, a terminal shows how far it is.

    Raises:
        ValueError: The file is not below ``root``, or its name is invalid.
        OSError: It cannot be read.
        CommError: The server does not answer, or does not accept it.
    """
    name = os.path.relpath(path, root)
    if problem := problem_of_name(name):
        raise ValueError(f"Invalid name {name!r} of {os.fspath(path)!r} relative to {os.fspath(root)!r}: {problem}")
    with TransferProgress(name, os.stat(path).st_size, doing="Uploading") as progress:  # noqa: PTH116 - of any path
        stored = upload_object(connection, entity, Path(path), progress.add)
    media_type = guess_type(name)[0] or ""
    document = {"name": name, "size": stored.size, "sha256": stored.sha256, "media_type": media_type}
    connection.command(f"{address}/files", document)
    found: list[File] = []

    def is_listed() -> bool:
        found[:] = [file for file in Files(connection, address, [name]) if file.sha256 == stored.sha256]
        return bool(found)

    until(is_listed, f"store {name!r}")
    return found[0]
