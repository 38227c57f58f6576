"""Requests to the API with retries, and the exceptions that users of the client catch."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from runstream.exceptions import CommError, Error, UsageError
from runstream.server.client import ServerClient, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runstream.server.discovery import Server

#: Statuses of a stack that is starting.
_BUSY = frozenset({502, 503, 504})


class NotFoundError(Error, LookupError):
    """The server does not know the run, project, file or artifact (yet)."""


class ArtifactNotFoundError(NotFoundError, CommError, ValueError):
    """The server does not know the artifact, collection or type. In W&B it is a CommError or a ValueError."""


class ApiConnection:
    """A connection to one server. Safe with threads.

    Requests are retried for ``patience`` seconds while the server is starting. Raises UsageError for an invalid URL.
    """

    def __init__(self, server: Server, *, timeout: float, patience: float = 3.0) -> None:
        self.url = server.url
        self._patience = patience
        try:
            self._client = ServerClient(server, timeout)
        except CommError as error:
            raise UsageError(str(error)) from None

    @property
    def client(self) -> ServerClient:
        """The client, for downloads."""
        return self._client

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of a GET; raises NotFoundError, UsageError for its parameters, or CommError."""
        return self._request("GET", path, params=params)

    def fetch(self, path: str, accept: str, on_links: Callable[[Any], None] | None = None, **params: Any) -> bytes:
        """Return the bytes of the answer to a GET of another media type; raises as :meth:`get`.

        ``on_links`` is called with the links of the answer, by relation, before the bytes are read.
        """
        found: bytes = self._retried(self._client.fetch, path, accept, params=params, on_links=on_links)
        return found

    def pages(self, path: str, cursor: str = "after", **params: Any) -> Iterator[Any]:
        """Yield the answers to a GET, page by page; ``cursor`` is the parameter for the ``next`` of the page before."""
        position = None
        while True:
            page = self.get(path, **params, **{cursor: position})
            yield page
            position = page["next"]
            if position is None:
                return

    def command(self, path: str, json: Any = None, method: str = "POST", **params: Any) -> Any:
        """Return the JSON of a request that takes effect once, even if it is sent several times; raises as get()."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._request(method, path, json=json, params=params, headers=headers)

    def _request(self, method: str, path: str, **more: Any) -> Any:
        return self._retried(self._client.request, method, path, **more)

    def _retried(self, send: Callable[..., Any], *asked: Any, **more: Any) -> Any:
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, ServerError) and error.status in _BUSY),
            stop=stop_after_delay(self._patience),
            wait=wait_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )
        try:
            return retrying(send, *asked, **more)
        except ServerError as error:
            match error.status:
                case 404:
                    kind = ArtifactNotFoundError if error.code == "artifact_not_found" else NotFoundError
                    raise kind(str(error)) from error
                case 400 | 409 | 422:
                    raise UsageError(str(error)) from error
            raise
