"""A worker: a database connection, and the partitions that it processes in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from runstream_consumers.runtime.consuming.buffer import Buffer
from runstream_consumers.runtime.consuming.sink import BatchResult, Sink
from runstream_consumers.runtime.exceptions import TopicRecreated
from runstream_consumers.runtime.faults import is_infrastructure_error, retrying
from runstream_consumers.runtime.options import Options
from runstream_consumers.runtime.plugin import Connection
from runstream_consumers.runtime.progress.spans import Span


class PartitionSource(Protocol):
    """What a worker needs from Kafka, by partition number and topic name."""

    async def bounds(self, number: int) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Return the first offset, and the one after the last, of each topic."""

    def seek(self, number: int, positions: Mapping[str, int]) -> None:
        """Continue at other offsets; messages fetched of those topics are discarded."""

    async def report_delay(self, number: int, error: Exception | None) -> None:
        """Report why a partition number is not processed now, or that it is."""


class PartitionWorker:
    """Processes its partitions in turn, batch by batch; pauses and retries while a server is unavailable."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], source: PartitionSource, buffer: Buffer, options: Options
    ) -> None:
        self._connect = connect
        self._source = source
        self._buffer = buffer
        self._options = options
        self._connection: Connection | None = None
        self._sinks: dict[int, Sink] = {}
        self._unopened: set[int] = set()
        self._turn: deque[int] = deque()
        self._gaps: dict[tuple[int, str], Span] = {}
        self._wake = asyncio.Event()
        self._opened = asyncio.Event()
        #: Until when the messages of a partition number go before its deferred ones, if some wait.
        self._next_turn: dict[int, float] = {}
        #: Whether the worker waits for an unavailable server.
        self.is_retrying = False

    def assign(self, sinks: Mapping[int, Sink]) -> dict[int, Sink]:
        """Process these partitions from now on, and no others; return the previous sinks."""
        before, self._sinks = self._sinks, dict(sinks)
        self._turn = deque(sinks)
        self._gaps.clear()
        self._unopened.clear()
        self.reopen(sinks)
        return before

    def reopen(self, numbers: Iterable[int]) -> None:
        """Look up again where to read partitions from."""
        self._unopened.update(number for number in numbers if number in self._sinks)
        if self._unopened:
            self._opened.clear()
            self._wake.set()
        else:
            self._opened.set()

    def wake(self) -> None:
        """Notify the worker of new messages."""
        self._wake.set()

    async def wait_opened(self) -> None:
        """Wait until the positions of all partitions are known."""
        await self._opened.wait()

    def positions(self) -> dict[tuple[int, str], int]:
        """Return the known next offsets, by partition number and topic name."""
        return {
            (number, name): offset for number, sink in self._sinks.items() for name, offset in sink.next_offsets.items()
        }

    @property
    def is_catching_up(self) -> bool:
        """Whether so many messages are deferred in a partition that no others are read."""
        return any(sink.deferred_bytes > self._options.deferred_bytes for sink in self._sinks.values())

    async def run(self) -> None:
        """Process batches until cancelled; raises errors that retrying does not resolve."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (number := self._next_partition()) is not None:
                await self._process(number)

    async def close(self) -> None:
        """Stop the background work, and disconnect."""
        self._disconnect()
        for sink in self._sinks.values():
            await sink.close()

    def _next_partition(self) -> int | None:
        for _ in range(len(self._turn)):
            self._turn.rotate(-1)
            number = self._turn[-1]
            if number in self._unopened or self._buffer.has_messages(number) or self._sinks[number].deferred_bytes:
                return number
        return None

    async def _process(self, number: int) -> None:
        sink = self._sinks[number]
        if number in self._unopened:
            await self._retry_while_assigned(number, sink, lambda connection: self._open(number, sink, connection))
            return
        if self._is_turn_of_deferred(number, sink):
            await self._pace(number, lambda: self._retry_while_assigned(number, sink, sink.apply_deferred))
            return
        options = self._options
        batch = self._buffer.take(number, events=options.batch_events, size=options.batch_bytes)
        if not batch:
            return

        async def step(connection: Connection) -> None:
            result = await sink.apply_batch(connection, batch)
            await self._handle_result(number, sink, connection, result)

        if sink.deferred_bytes:
            await self._retry_while_assigned(number, sink, step)
        else:
            await self._pace(number, lambda: self._retry_while_assigned(number, sink, step))

    def _is_turn_of_deferred(self, number: int, sink: Sink) -> bool:
        """Whether deferred messages of a partition number are applied now: nothing else waits, or their turn is due."""
        if not sink.deferred_bytes:
            return False
        if not self._buffer.has_messages(number) or sink.deferred_bytes > self._options.deferred_bytes:
            return True
        return asyncio.get_running_loop().time() >= self._next_turn.get(number, 0.0)

    async def _pace(self, number: int, action: Callable[[], Awaitable[None]]) -> None:
        """Apply messages, after which other messages of a partition number go before its deferred ones for a time."""
        clock = asyncio.get_running_loop().time
        begin = clock()
        await action()
        self._next_turn[number] = clock() + (clock() - begin) * (1 / self._options.deferred_share - 1)

    async def _open(self, number: int, sink: Sink, connection: Connection) -> None:
        give_up = asyncio.get_running_loop().time() + self._options.recreated_timeout
        while True:
            starts, ends = await self._source.bounds(number)
            try:
                positions = await sink.open(connection, starts, ends)
                break
            except TopicRecreated:
                # Just after a leader election the end may be too low for a moment.
                if asyncio.get_running_loop().time() > give_up:
                    raise
                await asyncio.sleep(self._options.initial_backoff)
        if self._sinks.get(number) is sink:
            self._source.seek(number, positions)
            self._unopened.discard(number)
            await self._source.report_delay(number, None)
            if not self._unopened:
                self._opened.set()

    async def _handle_result(self, number: int, sink: Sink, connection: Connection, result: BatchResult) -> None:
        """Seek where the batch and the stored offsets did not meet."""
        seeks = dict(result.seeks)
        for name, missing in result.gaps.items():
            seeks[name] = await self._resolve_gap(number, name, missing, sink, connection)
        if seeks and self._sinks.get(number) is sink:
            self._source.seek(number, seeks)

    async def _resolve_gap(self, number: int, name: str, missing: Span, sink: Sink, connection: Connection) -> int:
        """Return where to continue after a gap: at its start, unless those messages no longer exist."""
        starts, _ = await self._source.bounds(number)
        if starts[name] > missing[0]:
            await sink.skip(connection, name, (missing[0], starts[name]), "deleted before it was read")
            return starts[name]
        if self._gaps.get((number, name)) == missing:
            await sink.skip(connection, name, missing, "no message at these offsets")
            return missing[1]
        self._gaps[number, name] = missing
        return missing[0]

    async def _retry_while_assigned(
        self, number: int, sink: Sink, action: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """Retry an action until it succeeds or the partition is revoked; raises errors that retrying cannot resolve."""

        def is_retriable(error: BaseException) -> bool:
            return is_infrastructure_error(error) and self._sinks.get(number) is sink

        try:
            await retrying(self._options, is_retriable)(self._attempt, number, action)
        except Exception as error:
            if not is_infrastructure_error(error):
                raise
        if self.is_retrying:
            await self._source.report_delay(number, None)
        self.is_retrying = False

    async def _attempt(self, number: int, action: Callable[[Connection], Awaitable[None]]) -> None:
        try:
            if self._connection is None:
                self._connection = await self._connect()
            await action(self._connection)
        except BaseException as error:
            self.is_retrying = True
            # A commit may or may not have happened: load everything again, on a new connection.
            self._disconnect()
            for sink in self._sinks.values():
                sink.forget()
            # Even if no message arrives: the background work ended with the memory.
            self.reopen(self._sinks)
            if isinstance(error, Exception) and is_infrastructure_error(error):
                await self._source.report_delay(number, error)
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
