"""Streams of followers: how many there may be, what an idle or a troubled one sends, and how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runstream_consumers.api.following.changes import Watch
from runstream_consumers.api.following.cursors import MOST_WAITING, RunCursor
from runstream_consumers.api.following.messages import Feed, FeedResponse, Message, Streams, Timing
from runstream_consumers.api.problems import Problem, Unavailable
from runstream_consumers.history.arrivals.rows import Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message as Sent


class Numbers:
    """A follower with numbered messages, each batch after a change; raises what stands in for a batch."""

    look_again_s = None

    def __init__(self, *batches: list[int] | Exception) -> None:
        self._batches = list(batches)
        self.last: Message | None = None

    async def unsent(self) -> AsyncIterator[Message]:
        """Yield the next batch; the last one ends the stream."""
        batch = self._batches.pop(0) if self._batches else []
        if isinstance(batch, Exception):
            raise batch
        for number in batch:
            yield Message("number", str(number), f"c{number}")
        if not self._batches:
            self.last = Message("end", "{}", "last")


def feed_of(follower: Numbers, watch: Watch | None = None, timing: Timing = Timing()) -> Feed:  # noqa: B008 - immutable
    """Return the feed of a follower of which nothing was read."""
    return Feed(follower, watch or Watch(), follower.unsent(), None, timing)


async def text_of(feed: Feed) -> str:
    """Return all bytes of a feed."""
    return b"".join([chunk async for chunk in feed.chunks()]).decode()


def test_the_number_of_streams_is_limited() -> None:
    """For each client, with 429, and for all, with 503; a stream that is closed makes room."""
    streams = Streams(of_one_client=2, of_all=3)
    with streams.opened("ada"), streams.opened("bob"):
        with streams.opened("ada"):
            with pytest.raises(Problem, match="2 streams of this client") as refused, streams.opened("ada"):
                pytest.fail("opened beyond the limit")
            assert refused.value.status == 429
            with pytest.raises(Problem, match="3 streams are open") as full, streams.opened("eve"):
                pytest.fail("opened beyond the limit")
            assert full.value.status == 503
        with streams.opened("eve"):
            pass


async def test_a_stream_begins_with_its_retry_time_and_ends_with_the_last_message() -> None:
    """Each event has the cursor after it."""
    feed = feed_of(Numbers([1, 2]))
    assert await text_of(feed) == (
        "retry: 2000\n\n"
        "event: number\ndata: 1\nid: c1\n\nevent: number\ndata: 2\nid: c2\n\nevent: end\ndata: {}\nid: last\n\n"
    )


async def test_a_stream_waits_while_the_server_cannot_read() -> None:
    """The reason is a comment; afterwards the stream goes on. An idle stream has comments, too."""
    timing = Timing(retry_s=0.01, heartbeat_s=0.01, read_again_s=0.05)
    text = await text_of(feed_of(Numbers([1], Unavailable("behind", "Later."), [], [2]), timing=timing))
    assert ": behind: Later.\n\n" in text
    assert ": \n\n" in text
    assert text.index("id: c1") < text.index("behind") < text.index("id: c2")


async def test_a_problem_of_the_run_ends_the_stream() -> None:
    """The last event has its code and the reason."""
    text = await text_of(feed_of(Numbers([1], Problem(410, "object_missing", "Gone."), [2]), _changed()))
    assert text.endswith('event: problem\ndata: {"code":"object_missing","message":"Gone."}\n\n')


def _changed() -> Watch:
    watch = Watch()
    watch.note(1)
    return watch


async def test_streams_end_when_the_api_stops() -> None:
    """At once, however long nothing changes."""
    watch, received = Watch(), b""
    async with asyncio.timeout(5):
        async for chunk in feed_of(Numbers([1], [2]), watch).chunks():
            received += chunk
            if b"c1" in chunk:
                watch.stop()
    assert b"c1" in received
    assert b"c2" not in received


async def test_a_client_that_does_not_receive_is_left() -> None:
    """Nothing more is read for it, and its place is free."""
    closed = []
    follower = Numbers([1], [2])
    response = FeedResponse(feed_of(follower, timing=Timing(stalled_s=0.02)), lambda: closed.append(True))

    async def send(message: Sent) -> None:
        if message["type"] == "http.response.body" and b"number" in message["body"]:
            await asyncio.Event().wait()

    async def receive() -> Sent:
        return await asyncio.Future()

    await asyncio.wait_for(response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send), 5)
    assert closed == [True]
    assert follower.last is None


def test_a_cursor_is_read_as_it_was_written() -> None:
    """With the messages in quarantine that it remembers, at most a hundred."""
    cursor = RunCursor(place=Place(2**40, 7), waiting=(1, 2**40 - 1), summary="ab", state="cd", transitions=3)
    assert RunCursor.parse(cursor.text("q"), "q") == cursor
    assert len(RunCursor.parse(RunCursor(waiting=tuple(range(500))).text("q"), "q").waiting) == MOST_WAITING
    assert len(cursor.text("0123456789ab")) < 120
