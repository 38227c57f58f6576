"""The HTTP client for the server's API: one request, its deadline, and its errors."""

from __future__ import annotations

import functools
import ipaddress
import logging
import os
import ssl
import time
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import httpx

from runstream.descriptors import standard_descriptors
from runstream.exceptions import CommError
from runstream.server import messages
from runstream.server.discovery import host_of, same_origin
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runstream.server.discovery import Server

#: The summary state of a run of ten thousand keys is some megabytes.
_LARGEST_ANSWER = 512 * 1024 * 1024
_SENDING: ContextVar[bool] = ContextVar("runstream_sending", default=False)


class ServerError(CommError):
    """The server refused a request or could not serve it."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        #: HTTP status of the answer; 0 if the answer was not readable.
        self.status = status
        #: What the server calls the error; empty if the answer does not have it.
        self.code = code


class AuthenticationError(ServerError):
    """The server did not accept the API key, or requires one."""


class ServerClient:
    """Sends requests to the API of one server. Safe with threads. Raises CommError if the URL is invalid.

    Proxies are those of ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``; none is used for a loopback address.
    Redirects are not followed, so that the key, which is sent with every request, is never sent to another server.
    ``timeout`` is the seconds that one request may take as a whole, and its connection.
    """

    def __init__(self, server: Server, timeout: float) -> None:
        if host_of(server.url) is None:
            raise CommError(messages.invalid_url(server.url))
        self._server = server
        self._timeout = timeout
        #: By process: a forked child must not send requests on the connections of its parent.
        self._clients = {os.getpid(): _http_client(server, timeout)}
        logging.getLogger("httpx").addFilter(_is_foreign)
        # An Api that is not closed closes its connections when it is collected.
        self.close = weakref.finalize(self, _close_own, self._clients)

    def __reduce__(self) -> tuple[type[ServerClient], tuple[Server, float]]:
        """Pickle what another process needs to connect."""
        return ServerClient, (self._server, self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        limit: int = _LARGEST_ANSWER,
    ) -> Any:
        """Return the JSON of an answer, with non-finite floats restored.

        ``path`` is below ``/api/v1``; ``params`` of None are left out; ``limit`` is the largest answer in bytes.

        Raises:
            AuthenticationError: The key is missing or was not accepted.
            ServerError: Another error, an answer that is not JSON, or one that exceeds ``limit``.
            CommError: No answer within the deadline.
        """
        body = None if json is None else values.dump(json).encode()
        more = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        answer = self._fetched(method, path, params, limit, content=body, headers=more)
        try:
            return values.load(answer.decode())
        except ValueError as error:
            message = f"{self._server.url} is not a Runstream server: the answer to {method} {path} is not JSON"
            raise ServerError(message) from error

    def fetch(
        self,
        path: str,
        accept: str,
        *,
        params: Mapping[str, Any] | None = None,
        on_links: Callable[[Any], None] | None = None,
    ) -> bytes:
        """Return the bytes of the answer to a GET of another media type; raises as :meth:`request`.

        ``on_links`` is called with the links of the answer, by relation, before the bytes are read.
        """
        return self._fetched(
            "GET",
            path,
            params,
            _LARGEST_ANSWER,
            headers={"Accept": accept},
            media_type=accept,
            on_links=on_links,
        )

    def _fetched(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        limit: int,
        *,
        media_type: str = "",
        on_links: Callable[[Any], None] | None = None,
        **more: Any,
    ) -> bytes:
        sent = {name: value for name, value in (params or {}).items() if value is not None}
        with self._answer(method, path, params=sent, **more) as response:
            if on_links is not None and response.is_success:
                on_links(response.links)
            answer = self._read(response, limit)
        if not response.is_success:
            raise self._error(response, answer)
        if not response.headers.get("Content-Type", "").startswith(media_type):
            raise ServerError(f"{self._server.url} does not answer {path} as {media_type}: update the server")
        return answer

    @contextmanager
    def stream(self, source: str, *, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """Yield the answer to a GET, whose body is read as it arrives; raises as :meth:`request`, also meanwhile.

        ``source`` is a path below ``/api/v1``, or a URL, to which the key is sent if it is one of the server.
        """
        with self._answer("GET", source, headers=headers) as response:
            if not response.is_success:
                raise self._error(response, self._read(response, _LARGEST_ANSWER))
            yield response

    def send(self, url: str, content: Iterator[bytes], headers: Mapping[str, str]) -> str:
        """Send content by PUT to a presigned URL; return the ETag of the answer. Raises as :meth:`request`."""
        with self._answer("PUT", url, content=content, headers=headers) as response:
            answer = self._read(response, _LARGEST_ANSWER)
        if not response.is_success:
            raise ServerError(f"{response.url.host} does not accept the upload: {answer[:500]!r}", response.status_code)
        return str(response.headers.get("ETag", ""))

    @contextmanager
    def _answer(self, method: str, path: str, **sent: Any) -> Iterator[httpx.Response]:
        sending = _SENDING.set(True)
        try:
            request = self._client.build_request(method, path, **sent)
            if not same_origin(str(request.url), self._server.url):
                request.headers.pop("Authorization", None)
            with standard_descriptors():
                response = self._client.send(request, stream=True)
                try:
                    yield response
                finally:
                    response.close()
        except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError) as error:
            reason = str(error) or type(error).__name__
            raise CommError(messages.no_answer(self._server.url, reason, self._server.source)) from error
        finally:
            _SENDING.reset(sending)

    @property
    def _client(self) -> httpx.Client:
        pid = os.getpid()
        if pid not in self._clients:
            self._clients[pid] = _http_client(self._server, self._timeout)
        return self._clients[pid]

    def _read(self, response: httpx.Response, limit: int) -> bytes:
        deadline = time.monotonic() + self._timeout
        found, size = [], 0
        for chunk in response.iter_bytes():
            found.append(chunk)
            size += len(chunk)
            if size > limit:
                raise ServerError(f"The answer of {response.url} exceeds the limit of {limit:,} bytes")
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout(f"not complete after {self._timeout:g} s")
        return b"".join(found)

    def _error(self, response: httpx.Response, answer: bytes) -> ServerError:
        url, status = self._server.url, response.status_code
        message = _error_field(answer, "message")
        if status == HTTPStatus.FORBIDDEN:
            return AuthenticationError(messages.no_permission(url, message or response.reason_phrase), status)
        if status == HTTPStatus.UNAUTHORIZED:
            known = self._server.token
            text = messages.wrong_key(url, self._server.key_source) if known else messages.no_key(url)
            return AuthenticationError(text, status)
        if response.has_redirect_location:
            place = response.headers["Location"]
            return ServerError(f"{url} redirects to {place!r}: set RUNSTREAM_URL to the URL of the server", status)
        text = message or f"{url} answered with status {status} {response.reason_phrase}"
        return ServerError(text, status, _error_field(answer, "code"))


def _http_client(server: Server, timeout: float) -> httpx.Client:
    headers = {"Accept": "application/json", "User-Agent": "runstream"}
    if server.token:
        headers["Authorization"] = f"Bearer {server.token}"
    return httpx.Client(
        base_url=f"{server.url}/api/v1",
        headers=headers,
        timeout=timeout,
        trust_env=not _is_loopback(host_of(server.url) or ""),
        # Loading the certificates takes longer than a request; plain HTTP needs none.
        verify=_certificates() if server.url.startswith("https:") else False,
    )


def _close_own(clients: Mapping[int, httpx.Client]) -> None:
    """Close the connections of this process. A lock of those of its parent may have been held at the fork."""
    if (client := clients.get(os.getpid())) is not None:
        client.close()


def _is_foreign(_: logging.LogRecord) -> bool:
    """Keep httpx from logging our requests at level INFO, which many training scripts print."""
    return not _SENDING.get()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the system's certificates, or those of ``SSL_CERT_FILE``; httpx' own would not have a company's."""
    return ssl.create_default_context()


def _error_field(answer: bytes, name: str) -> str:
    try:
        return str(values.load(answer.decode())["error"][name])
    except (ValueError, KeyError, TypeError):
        return ""
