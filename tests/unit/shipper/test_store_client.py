"""Responses of object stores, in every form that HTTP allows."""

from __future__ import annotations

import hashlib
import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from runstream.shipper.uploads.store_client import StoreClient, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MD5 = hashlib.md5(b"abc").hexdigest()


@contextmanager
def _store(*answers: bytes) -> Iterator[tuple[str, list[int]]]:
    """Run a store that gives these answers; yield a URL and the numbers of requests of each connection."""
    served: list[int] = []
    left = list(answers)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            while left:
                connection, _ = listener.accept()
                served.append(0)
                # What the client does not read may be refused.
                with connection, suppress(ConnectionError):
                    while left and connection.recv(65536):
                        served[-1] += 1
                        for byte in (answer := left.pop(0)):  # split anywhere
                            connection.sendall(bytes([byte]))
                        if b"close" in answer or b"HTTP/1.0" in answer or b"chunked" in answer:
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a?b", served
        thread.join(60)


def _head(*lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (_head(f'ETag: "{_MD5}"', "Content-Length: 0"), True),
        (_head(f'etag:"{_MD5}"', "content-length:  3 ") + b"xyz", True),
        (_head(status="HTTP/1.1 100 Continue") + _head(f'ETag: "{_MD5}"', "Content-Length: 0"), True),
        (_head(f'ETag: "{_MD5}"', "Content-Length: 0", "Connection: close"), False),
        (_head(f'ETag: "{_MD5}"', "Content-Length: 0", status="HTTP/1.0 200 OK"), False),
        (_head(f'ETag: "{_MD5}"', "Transfer-Encoding: chunked") + b"0\r\n\r\n", False),
    ],
    ids=["empty", "body", "interim", "close", "old", "chunked"],
)
def test_connections_are_used_again_if_the_answer_was_read(answer: bytes, *, kept: bool) -> None:
    """The ETag is returned; a connection is kept if nothing of the answer is left in it, and the store keeps it."""
    client = StoreClient()
    with _store(answer, answer) as (url, served):
        assert [client.put(url, {}, b"abc"), client.put(url, {}, b"abc")] == [_MD5, _MD5]
        client.close()
    assert served == ([2] if kept else [1, 1])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (_head("Content-Length: 6", status="HTTP/1.1 403 Forbidden") + b"denied", "status 403: denied"),
        (_head("Connection: close", status="HTTP/1.1 500 Error"), "status 500"),
        (_head("Content-Length: 9", "X: close") + b"abc", "no answer"),
        (b"close the door\r\n\r\n", "close the door"),
        (_head(f'ETag: "{"0" * 32}"', "Content-Length: 0"), "stored other bytes"),
    ],
    ids=["refused", "error", "cut", "other protocol", "other bytes"],
)
def test_a_bad_answer_names_the_problem(answer: bytes, problem: str) -> None:
    """Whatever is not a complete acknowledgement of the bytes that were sent is an error."""
    client = StoreClient()
    with _store(answer) as (url, _), pytest.raises(StoreError, match=problem):
        client.put(url, {}, b"abc")
    client.close()


def test_a_header_of_several_lines_is_refused() -> None:
    """A server cannot add headers or requests through the headers that it requests."""
    client = StoreClient()
    with _store(_head("Content-Length: 0")) as (url, _):
        with pytest.raises(StoreError, match="invalid address or header"):
            client.put(url, {"a": "b\r\nc: d"}, b"abc")
        client.put(url, {}, b"abc")
        client.close()
