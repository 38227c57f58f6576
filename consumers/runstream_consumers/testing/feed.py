"""Applies events to a consumer as the runtime does, on a real database and without a broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from runstream_consumers.runtime.consuming.sink import Sink
from runstream_consumers.runtime.kafka.messages import Message
from runstream_consumers.runtime.options import DEFAULT_OPTIONS
from runstream_consumers.runtime.plugin import Connection, Consumer, Context
from runstream_consumers.runtime.postgres.connection import connected, open_connections
from runstream_consumers.runtime.postgres.migrate import migrate_all
from runstream_consumers.runtime.progress.breaker import CircuitBreaker
from runstream_consumers.runtime.registry import load_settings
from runstream_schemas.codec import encode
from runstream_schemas.events import Event
from runstream_schemas.topics import DEFAULT_PREFIX, Topic, topic_name

#: 2026-01-01, in microseconds since 1970: when the broker appended the first message.
_START = 1_767_225_600_000_000
_END = 2**62


class Feed:
    """A consumer that has applied some events."""

    def __init__(self, consumer: Consumer, connection: Connection, context: Context) -> None:
        self._consumer = consumer
        self._context = context
        self._offsets: Counter[Topic] = Counter()
        #: For queries; its search path is the consumer's schema.
        self.connection = connection
        self._sink = self._new_sink()

    async def apply(self, *events: Event) -> None:
        """Append events to the topics, and apply them in one batch; AssertionError if some would be quarantined.

        Events of topics that the consumer does not read are left out.
        """
        batch: dict[str, list[Message]] = {}
        for message in encoded(events, self._offsets):
            if message.topic in self._consumer.topics:
                batch.setdefault(message.topic_name, []).append(message)
        if batch:
            await self._sink.apply_batch(self.connection, batch)
        query = "select topic, reason from runtime.quarantine where sink = $1 order by id"
        if rows := await self.connection.fetch(query, self._consumer.name):
            reasons = "; ".join(f"{row['topic']}: {row['reason']}" for row in rows)
            raise AssertionError(f"{len(rows)} messages are quarantined: {reasons}")

    async def restart(self) -> None:
        """Discard what the consumer keeps in memory, as if its process were killed and started again."""
        await self._sink.close()
        self._sink = self._new_sink()
        await self.open()

    async def open(self) -> None:
        """Begin at the stored offsets."""
        names = [topic_name(self._context.prefix, topic) for topic in self._consumer.topics]
        await self._sink.open(self.connection, dict.fromkeys(names, 0), dict.fromkeys(names, _END))

    def _new_sink(self) -> Sink:
        options = DEFAULT_OPTIONS
        breaker = CircuitBreaker(options.breaker_window, options.breaker_runs, options.breaker_share)
        return Sink(self._consumer, 0, self._context, breaker=breaker, runs_background=False)


def encoded(events: Iterable[Event], offsets: Counter[Topic] | None = None) -> list[Message]:
    """Return the messages of events, in the only partition; each topic continues at its offset in ``offsets``."""
    offsets = Counter() if offsets is None else offsets
    messages = []
    for event in events:
        time = _START + 1_000_000 * offsets.total()
        name = topic_name(DEFAULT_PREFIX, event.topic)
        messages.append(Message(event.topic, name, 0, offsets[event.topic], time, encode(event)))
        offsets[event.topic] += 1
    return messages


class _NoProducer:
    async def send(self, topic: Topic, partition: int, message: bytes) -> None:
        """Send nothing."""


@asynccontextmanager
async def feeding(consumer: Consumer, database: str) -> AsyncIterator[Feed]:
    """Provide a feed of a consumer, whose tables are created in a database (a connection URI).

    Background work does not run, and ``Context.producer`` sends nothing. The consumer's settings are read from the
    environment.
    """
    async with (
        connected(database, application="test", schema=consumer.name) as connection,
        open_connections(database, application="test", schema=consumer.name, limit=2) as connections,
    ):
        await migrate_all(connection, consumer)
        context = Context(
            name=consumer.name,
            prefix=DEFAULT_PREFIX,
            partitions=1,
            producer=_NoProducer(),
            connection=connections,
            settings=load_settings(consumer),
        )
        feed = Feed(consumer, connection, context)
        await feed.open()
        yield feed


@asynccontextmanager
async def scratch_database(server: str) -> AsyncIterator[str]:
    """Provide the URI of an empty database on a server (a connection URI); it is dropped at the end of the block."""
    name = f"runstream_test_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'create database "{name}"')
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        await connection.execute(f'drop database if exists "{name}" with (force)')
        await connection.close()
