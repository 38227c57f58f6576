"""Shares of costly reads."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from runstream_consumers.api import fair_share
from runstream_consumers.api.fair_share import FairShare
from runstream_consumers.api.problems import Unavailable


class Reads:
    """Starts reads, and ends them in the order in which they were admitted."""

    def __init__(self, share: FairShare) -> None:
        self._share = share
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self.running: list[str] = []

    async def start(self, *names: str) -> None:
        """Start reads, each with a name of client, run and number such as ``ada/one/1``."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._read(name))
        await self._settle()

    async def end(self, name: str) -> None:
        """End a read."""
        self._ends[name].set()
        await self._tasks[name]
        await self._settle()

    async def cancel(self, name: str) -> None:
        """Cancel a read, admitted or not."""
        self._tasks[name].cancel()
        await self._settle()

    async def _read(self, name: str) -> None:
        client, run, _ = name.split("/")
        async with self._share.read(client, run):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_reads_of_one_run_leave_room_for_others() -> None:
    """A run has at most two of four reads, however many wait; a read of another run starts at once."""
    reads = Reads(FairShare(at_once=4, of_one_run=2))
    await reads.start(*[f"ada/large/{number}" for number in range(10)])
    assert reads.running == ["ada/large/0", "ada/large/1"]
    await reads.start("ada/small/0")
    assert reads.running[-1] == "ada/small/0"
    await reads.end("ada/large/0")
    assert reads.running == ["ada/large/1", "ada/small/0", "ada/large/2"]


async def test_client_with_fewest_reads_is_next() -> None:
    """A client with many runs does not keep others waiting: whoever has the fewest running reads is admitted first."""
    reads = Reads(FairShare(at_once=2, of_one_run=2))
    await reads.start(*[f"ada/{number}/0" for number in range(5)], "bob/1/0", "bob/2/0")
    assert reads.running == ["ada/0/0", "ada/1/0"]
    await reads.end("ada/0/0")
    assert reads.running == ["ada/1/0", "bob/1/0"]
    await reads.end("ada/1/0")
    assert reads.running == ["bob/1/0", "ada/2/0"]


async def test_cancelled_read_frees_its_place() -> None:
    """A read that is cancelled, while it runs or while it waits, takes no place."""
    reads = Reads(FairShare(at_once=1, of_one_run=1))
    await reads.start("ada/1/0", "ada/2/0", "ada/3/0")
    await reads.cancel("ada/2/0")
    await reads.cancel("ada/1/0")
    assert reads.running == ["ada/3/0"]


async def test_read_that_waits_too_long_is_refused() -> None:
    """After its patience the client is asked to retry, and its place in the queue is free."""
    share = FairShare(at_once=1, of_one_run=1, patience_s=0.01)
    async with share.read("ada", 1):
        with pytest.raises(Unavailable, match="took too long"):
            async with share.read("ada", 2):
                pytest.fail("admitted beside another read")
    async with share.read("ada", 3):
        pass


async def test_number_of_waiting_reads_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its limit a client is refused at once; another client still waits for its turn."""
    monkeypatch.setattr(fair_share, "_WAITING", 2)
    share = FairShare(at_once=1, of_one_run=1)
    async with AsyncExitStack() as held:
        await held.enter_async_context(share.read("ada", 0))
        reads = Reads(share)
        await reads.start("ada/1/0", "ada/2/0", "bob/1/0")
        with pytest.raises(Unavailable, match="waiting already"):
            async with share.read("ada", 3):
                pytest.fail("admitted beyond the limit")
    for name in ("ada/1/0", "ada/2/0", "bob/1/0"):
        await reads.end(name)
