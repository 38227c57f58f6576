"""Requests to the HTTP API, and what their failures mean to a user."""

from __future__ import annotations

import uuid
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from runstream.exceptions import CommError, UsageError
from runstream.public_api.exceptions import AuthenticationError, NotFoundError, ServerError
from runstream_schemas import values

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: Statuses of a stack that is still starting.
_BUSY = frozenset({502, 503, 504})


class _BusyError(ServerError):
    """The server asks to come back later."""


class Connection:
    """Gets JSON from one server; safe to share between threads."""

    def __init__(self, url: str, token: str | None, *, timeout: float, patience: float = 3.0) -> None:
        """Prepare requests to ``url``; ``timeout`` seconds each, ``patience`` seconds for a server that is busy.

        Raises UsageError where ``url`` is no address.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{url!r} is no address of a server: it looks like http://host:port")
        self.url = url.rstrip("/")
        self._patience = patience
        headers = {"Accept": "application/json", "User-Agent": "runstream"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=timeout,
            # A proxy of the environment is never the way to this machine itself.
            trust_env=parts.hostname not in _LOOPBACK,
        )
        # Whoever made an Api in passing need not close it.
        self._closing = weakref.finalize(self, self._client.close)

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of a GET, non-finite floats restored; parameters of None are left out.

        Raises NotFoundError, AuthenticationError, UsageError for parameters the server refuses, ServerError, and
        CommError where nothing answers.
        """
        asked = {name: value for name, value in parameters.items() if value is not None}
        return self._patiently()(self._ask, "GET", path, asked, {})

    def command(self, path: str) -> Any:
        """Return the JSON of a POST that counts once, however often it has to be sent.

        Raises what :meth:`get` does; UsageError where the command makes no sense at the moment.
        """
        return self._patiently()(self._ask, "POST", path, {}, {"Idempotency-Key": str(uuid.uuid4())})

    def close(self) -> None:
        """Close the connections."""
        self._closing()

    def _patiently(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(_BusyError),
            stop=stop_after_delay(self._patience),
            wait=wait_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )

    def _ask(self, method: str, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        try:
            response = self._client.request(method, path, params=dict(parameters), headers=dict(headers))
        except httpx.TransportError as error:
            message = f"nothing answers at {self.url} ({_why(error)}): start the stack with `runstream up`"
            raise CommError(message) from error
        if not response.is_success:
            raise _error(response)
        try:
            return values.load(response.text)
        except ValueError as error:
            raise ServerError(f"{self.url} is no Runstream server: it answers with something else") from error


def _error(response: httpx.Response) -> Exception:
    message = _message(response)
    match response.status_code:
        case 404:
            return NotFoundError(message)
        case 401 | 403:
            return AuthenticationError(message)
        case 400 | 409 | 422:
            return UsageError(message)
        case status if status in _BUSY:
            return _BusyError(message)
    return ServerError(f"{response.status_code} from {response.url}: {message}")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase or "no message"


def _why(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
