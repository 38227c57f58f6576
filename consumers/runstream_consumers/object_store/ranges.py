"""Requests for ranges of objects, of which a chart sends many: urllib3 takes more than twice the processor time."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPSConnection, RemoteDisconnected
from urllib.parse import urlsplit

_CONNECT_S, _READ_S = 3.0, 30.0
#: Connections that are kept open.
_IDLE = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a request."""

    status: int
    headers: Message
    data: bytes


class RangeClient:
    """Sends GET requests to one server over connections that are kept open; may be used by several threads."""

    def __init__(self, url: str) -> None:
        found = urlsplit(url)
        self._kind = HTTPSConnection if found.scheme == "https" else HTTPConnection
        self._address = found.netloc
        self._idle: queue.LifoQueue[HTTPConnection] = queue.LifoQueue(_IDLE)

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Return the response; raises OSError or HTTPException if there is none."""
        target = url[url.index("/", url.index("//") + 2) :]
        try:
            return self._send(self._idle.get_nowait(), target, headers)
        except (queue.Empty, RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The server closes connections that were idle for long.
            connection = self._kind(self._address, timeout=_CONNECT_S)
            connection.connect()
            connection.sock.settimeout(_READ_S)
            return self._send(connection, target, headers)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _send(self, connection: HTTPConnection, target: str, headers: Mapping[str, str]) -> Answer:
        try:
            connection.request("GET", target, headers=dict(headers))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except BaseException:
            connection.close()
            raise
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()
        return answer
