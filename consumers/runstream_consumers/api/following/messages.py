"""Server-sent events, and the response that sends them until the client leaves or the API stops."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Message as Sent
from starlette.types import Receive, Scope, Send

from runstream_consumers.api.following.changes import Watch
from runstream_consumers.api.problems import EXPECTED, Problem, problem_of
from runstream_schemas import values

#: Streams of one client, and of all.
_OF_ONE_CLIENT, _OF_ALL = 200, 1000
#: Errors of the server: it is tried again. For others the stream ends.
_TEMPORARY = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of a stream, seconds."""

    #: After which a client reconnects, and a stream reads again that could not.
    retry_s: float = 2.0
    #: Between comments on an idle stream.
    heartbeat_s: float = 15.0
    #: After which a stream reads although no change was seen.
    read_again_s: float = 60.0
    #: For which a client may receive nothing.
    stalled_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """A server-sent event: its type, its data as JSON in ASCII, and the cursor after it."""

    event: str | None
    data: str | None
    cursor: str | None = None

    def encode(self) -> bytes:
        """Return the bytes of the event; of one without data, clients note the cursor only."""
        return format_sse_event(event=self.event, data_str=self.data, id=self.cursor)


class Follower(Protocol):
    """What a client was sent, and what it is to be sent."""

    @property
    def last(self) -> Message | None:
        """The message that ends the stream, once nothing more is to be sent."""

    @property
    def look_again_s(self) -> float | None:
        """After how many seconds to look for changes that no table shows; None if there are none."""

    def unsent(self) -> AsyncIterator[Message]:
        """Yield what is stored and was not sent."""


class Streams:
    """Counts the open streams, and refuses more than there may be."""

    def __init__(self, *, of_one_client: int = _OF_ONE_CLIENT, of_all: int = _OF_ALL) -> None:
        self._of_one_client = of_one_client
        self._of_all = of_all
        self._open: Counter[str] = Counter()

    @contextmanager
    def opened(self, client: str) -> Iterator[None]:
        """Count a stream as open until the block ends; raises Problem if there are too many."""
        if self._open[client] >= self._of_one_client:
            message = f"{self._of_one_client} streams of this client are open already: close one, then retry."
            raise Problem(429, "too_many_streams", message)
        if self._open.total() >= self._of_all:
            raise Problem(503, "too_many_streams", f"{self._of_all} streams are open already; retry later.")
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            self._open += Counter()  # removes those with none


@dataclass(slots=True)
class Feed:
    """The bytes of a stream: what a follower has to send, and comments while there is nothing."""

    follower: Follower
    watch: Watch
    #: What was read of the follower before the response began.
    begun: AsyncIterator[Message]
    first: Message | None
    timing: Timing = Timing()
    _sent_at: float = field(default=0.0, init=False)
    _trouble: str = field(default="", init=False)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield events and comments until the follower has ended or the API stops."""
        yield self._noted(format_sse_event(retry=round(self.timing.retry_s * 1000)))
        messages = self.begun
        if self.first is not None:
            yield self._noted(self.first.encode())
        while not self.watch.is_stopping:
            try:
                async for message in messages:
                    yield self._noted(message.encode())
            except EXPECTED as error:
                problem = problem_of(error)
                yield self._noted(self._report(problem))
                if problem.status < _TEMPORARY:
                    return
            else:
                self._trouble = ""
                if self.follower.last is not None:
                    yield self.follower.last.encode()
                    return
            async for comment in self._idle():
                yield comment
            messages = self.follower.unsent()

    async def _idle(self) -> AsyncIterator[bytes]:
        """Yield comments until it is time to read again."""
        timing = self.timing
        wait_s = timing.retry_s if self._trouble else self.follower.look_again_s or timing.read_again_s
        until = _now() + wait_s
        while (left := until - _now()) > 0:
            if await self.watch.changed(min(left, max(self._sent_at + timing.heartbeat_s - _now(), 0))):
                return
            if _now() >= self._sent_at + timing.heartbeat_s:
                yield self._noted(format_sse_event(comment=""))

    def _noted(self, chunk: bytes) -> bytes:
        self._sent_at = _now()
        return chunk

    def _report(self, problem: Problem) -> bytes:
        if problem.status < _TEMPORARY:
            text = values.dump({"code": problem.code, "message": problem.message})
            return Message("problem", text).encode()
        if problem.message != self._trouble:
            log.warning("a stream waits: %s", problem.message)
        self._trouble = problem.message
        return format_sse_event(comment=f"{problem.code}: {problem.message}")


class FeedResponse(StreamingResponse):
    """Sends a feed; the next events are read only once the client has received those before."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, close: Callable[[], None]) -> None:
        self._watch = feed.watch
        self._stalled_s = feed.timing.stalled_s
        self._chunks = feed.chunks()
        self._close = close
        super().__init__(self._chunks, headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 — ASGI
        """Send the feed until it ends or the client leaves."""
        leaving = asyncio.create_task(self._await_departure(receive))
        try:
            await self.stream_response(send)
        finally:
            leaving.cancel()
            self._close()

    async def _await_departure(self, receive: Receive) -> None:
        """Let the feed end once the client has left; cancelling it would interrupt transactions."""
        await self.listen_for_disconnect(receive)
        self._watch.stop()

    async def stream_response(self, send: Send) -> None:
        """Send the feed; end without its end if the client receives nothing for a minute."""
        try:
            await super().stream_response(lambda message: _sent_in_time(send, message, self._stalled_s))
        except _Stalled:
            log.info("a stream was closed: its client received nothing for %d s", self._stalled_s)
        finally:
            await self._chunks.aclose()  # type: ignore[attr-defined]  # a generator


class _Stalled(Exception):  # noqa: N818 — ends a response
    pass


async def _sent_in_time(send: Send, message: Sent, within_s: float) -> None:
    deadline = asyncio.timeout(within_s)
    try:
        async with deadline:
            await send(message)
    except TimeoutError:
        if deadline.expired():
            raise _Stalled from None
        raise


def _now() -> float:
    return asyncio.get_running_loop().time()
