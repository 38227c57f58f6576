"""A client of server-sent events, as the HTML standard describes it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.integration.api.serving import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its type, its data, and the last id."""

    name: str
    data: Any
    id: str


@dataclass(slots=True)
class EventStream:
    """Receives a stream, and remembers the last id, also of events without data."""

    url: str
    last_id: str | None = None
    retry_ms: int | None = None
    comments: list[str] = field(default_factory=list)

    def events(self, **parameters: Any) -> Iterator[Event]:
        """Yield events until the server ends the stream; nothing if its answer is 204."""
        with self.opened(**parameters) as response:
            if response.status_code != httpx.codes.NO_CONTENT:
                assert response.status_code == httpx.codes.OK, response.read()
                assert response.headers["content-type"].startswith("text/event-stream")
                yield from self.received(response)

    @contextmanager
    def opened(self, **parameters: Any) -> Iterator[httpx.Response]:
        """Request the stream from the last id."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        timeout = httpx.Timeout(60, connect=5)
        with httpx.stream("GET", self.url, params=parameters, headers=headers, timeout=timeout) as response:
            yield response

    def received(self, response: httpx.Response) -> Iterator[Event]:
        """Yield the events of a response."""
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            else:
                if "id" in fields:
                    self.last_id = fields["id"]
                if "retry" in fields:
                    self.retry_ms = int(fields["retry"])
                if "data" in fields:
                    yield Event(fields.get("event", "message"), json.loads(fields["data"]), self.last_id or "")
                fields = {}
