"""Presigned requests to the object store: plain HTTP over connections that are kept open. Safe with threads."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from runstream.shipper.uploads.content import CHUNK, ChangedError

_TIMEOUT_S = 60.0
#: A body up to this size is sent with the headers, in one packet or a few.
_SMALL = 32 * 1024
_LARGEST_ANSWER = 64 * 1024


class StoreError(Exception):
    """The object store, or the server, could not do what was asked; asking again later may help."""


class RejectedError(StoreError):
    """The object store refused a request."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Part:
    """A range of an open file."""

    file: BinaryIO
    start: int
    size: int


def _ignore(_: int) -> None:
    """Do nothing."""


class StoreClient:
    """Sends presigned PUT requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}
        self._busy: set[http.client.HTTPConnection] = set()
        self._closed = False

    def put(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Part | bytes,
        md5: bytes = b"",
        sent: Callable[[int], None] = _ignore,
    ) -> str:
        """Upload bytes, or a part of a file; return its ETag, which is its MD5 where the store computes it so.

        ``sent`` is called with the bytes of each chunk that was sent.

        Raises StoreError, or ChangedError if the file is shorter. An unused connection may have been closed by the
        store: the request is then sent again on a new one.
        """
        address = urlsplit(url)
        with self._connection(address) as (connection, fresh):
            try:
                digest = _send(connection, address, headers, body, sent, md5)
                answer = _receive(connection.sock)
                if not answer.complete:
                    connection.close()  # the rest of its answer would be taken for the next one
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if not fresh and not self._closed:
                    return self.put(url, headers, body, md5, sent)
                raise StoreError(f"no answer of {address.netloc}: {str(error) or type(error).__name__}") from error
            except BaseException:
                connection.close()
                raise
        if answer.status != HTTPStatus.OK:
            problem = (
                f"{address.netloc} answered with status {answer.status}: {answer.body[:300].decode(errors='replace')}"
            )
            raise RejectedError(problem, answer.status)
        return _checked_etag(answer.headers, digest, address.netloc)

    def close(self) -> None:
        """Close all connections, also those in use: their requests fail."""
        self._closed = True
        with self._lock:
            connections = [*self._busy, *(one for idle in self._idle.values() for one in idle)]
        for connection in connections:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(2)
            if connection not in self._busy:
                connection.close()

    @contextmanager
    def _connection(self, address: SplitResult) -> Iterator[tuple[http.client.HTTPConnection, bool]]:
        """Lend a connection, and whether it is new; it is kept unless it was closed."""
        key = f"{address.scheme}://{address.netloc}"
        with self._lock:
            idle = self._idle.setdefault(key, [])
            connection = idle.pop() if idle else None
            fresh = connection is None
            connection = connection or _connect(address)
            self._busy.add(connection)
        try:
            yield connection, fresh
        finally:
            with self._lock:
                self._busy.discard(connection)
                if connection.sock is not None and not self._closed:
                    idle.append(connection)
                else:
                    connection.close()


def _connect(address: SplitResult) -> http.client.HTTPConnection:
    """Return a connection, through the proxy of the environment if there is one for the address."""
    host = address.hostname or ""
    proxy = None if proxy_bypass(host) or host in {"localhost", "127.0.0.1"} else getproxies().get(address.scheme)
    where = urlsplit(proxy) if proxy else address
    if address.scheme != "https":
        return http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=_TIMEOUT_S)
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(
        where.hostname or "", where.port or 443, timeout=_TIMEOUT_S, context=context
    )
    if proxy:
        connection.set_tunnel(host, address.port or 443)
    return connection


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response; ``headers`` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Whether all of it was read, and the connection can be used again.
    complete: bool


def _receive(connection: socket.socket) -> _Answer:
    """Read a response. Of one without a length, only the beginning is read.

    Not by ``http.client``, which needs more processor time than all the rest of a small upload.
    """
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            if not (received := connection.recv(_LARGEST_ANSWER)):
                raise http.client.RemoteDisconnected("the connection was closed without a response")
            data += received
            if len(data) > _LARGEST_ANSWER:
                raise http.client.LineTooLong("header")
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise http.client.BadStatusLine(first[:100])
        if (status := int(rest[:3])) >= HTTPStatus.OK:
            break
        data = body  # an interim response
    pairs = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0" if status == HTTPStatus.NO_CONTENT else "")
    if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _LARGEST_ANSWER:
        return _Answer(status, headers, body, complete=False)
    while len(body) < int(length):
        if not (received := connection.recv(_LARGEST_ANSWER)):
            raise http.client.IncompleteRead(body)
        body += received
    kept = version != "HTTP/1.0" and headers.get("connection", "").lower() != "close"
    return _Answer(status, headers, body, complete=kept and len(body) == int(length))


def _send(  # noqa: PLR0917 - one caller
    connection: http.client.HTTPConnection,
    address: SplitResult,
    headers: Mapping[str, str],
    body: Part | bytes,
    sent: Callable[[int], None],
    md5: bytes,
) -> bytes:
    """Send a request; return the MD5 of its body, which is computed unless it is known."""
    if connection.sock is None:
        connection.connect()
    target = f"{address.path or '/'}?{address.query}"
    proxied = address.scheme == "http" and connection.host != address.hostname
    size = len(body) if isinstance(body, bytes) else body.size
    lines = [
        f"PUT {f'http://{address.netloc}' if proxied else ''}{target} HTTP/1.1",
        f"Host: {address.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if "content-length" not in {name.lower() for name in headers}:
        lines.append(f"Content-Length: {size}")
    if any("\r" in line or "\n" in line for line in lines):
        raise StoreError("the server requested an upload with an invalid address or header")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if size > _SMALL and isinstance(body, Part):
        connection.sock.sendall(head)
        return _send_known(connection, body, sent, md5) if md5 else _send_unknown(connection, body, sent)
    data = body if isinstance(body, bytes) else _read(body)
    connection.sock.sendall(head + data)
    sent(size)
    return md5 or hashlib.md5(data, usedforsecurity=False).digest()


def _read(part: Part) -> bytes:
    part.file.seek(part.start)
    data = part.file.read(part.size)
    if len(data) != part.size:
        raise ChangedError("a file became shorter while it was uploaded")
    return data


def _send_unknown(connection: http.client.HTTPConnection, part: Part, sent: Callable[[int], None]) -> bytes:
    """Send a body; return its MD5."""
    part.file.seek(part.start)
    digest, left, buffer = hashlib.md5(usedforsecurity=False), part.size, memoryview(bytearray(CHUNK))
    while left:
        count = part.file.readinto(buffer[: min(CHUNK, left)])  # type: ignore[attr-defined]
        if not count:
            raise ChangedError("a file became shorter while it was uploaded")
        digest.update(buffer[:count])
        connection.sock.sendall(buffer[:count])
        left -= count
        sent(count)
    return digest.digest()


def _send_known(connection: http.client.HTTPConnection, part: Part, sent: Callable[[int], None], md5: bytes) -> bytes:
    """Send a body whose MD5 is known: the kernel copies it, except into a TLS connection."""
    start, end = part.start, part.start + part.size
    while start < end:
        count = connection.sock.sendfile(part.file, start, min(8 * CHUNK, end - start))
        if not count:
            raise ChangedError("a file became shorter while it was uploaded")
        start += count
        sent(count)
    return md5


def _checked_etag(headers: Mapping[str, str], md5: bytes, store: str) -> str:
    """Return the ETag of an answer; raise StoreError if the store has other bytes than were sent."""
    etag = headers.get("etag", "").strip('"')
    encrypted = "kms" in headers.get("x-amz-server-side-encryption", "")
    if len(etag) == 2 * len(md5) and etag.lower() != md5.hex() and not encrypted:
        raise StoreError(f"{store} stored other bytes than were sent: MD5 {etag} instead of {md5.hex()}")
    return etag
